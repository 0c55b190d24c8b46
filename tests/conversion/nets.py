"""Small networks that have one peculiarity each."""

import torch
from torch import nn
from torch.nn import functional as F


class OneForThree(nn.Module):
    """One ReLU for three places, as in torchvision's Bottleneck."""

    def __init__(self, widths=(8, 8, 16)):
        super().__init__()
        first, second, third = widths
        self.one, self.two, self.three = nn.Linear(4, first), nn.Linear(first, second), nn.Linear(second, third)
        self.relu = nn.ReLU(inplace=True)

    def forward(self, x):
        return self.relu(self.three(self.relu(self.two(self.relu(self.one(x))))))


class SharedObject(nn.Module):
    """One SiLU object registered at two paths, with different widths."""

    def __init__(self):
        super().__init__()
        act = nn.SiLU()
        self.narrow = nn.Sequential(nn.Linear(4, 6), act)
        self.wide = nn.Sequential(nn.Linear(6, 10), act)

    def forward(self, x):
        return self.wide(self.narrow(x))


class SharedBlock(nn.Module):
    """One block at two paths: its weights are shared, and so is its activation."""

    def __init__(self):
        super().__init__()
        self.first = nn.Sequential(nn.Linear(4, 4), nn.SiLU())
        self.again = self.first

    def forward(self, x):
        return self.again(self.first(x))


class Functional(nn.Module):
    """Activations called as functions beside a module."""

    def __init__(self):
        super().__init__()
        self.conv, self.act, self.inner = nn.Conv2d(3, 4, 1), nn.GELU(), Inner()

    def forward(self, x):
        x = self.act(F.gelu(self.conv(x)).relu())
        return self.inner(torch.relu_(F.relu6(x)))


class Inner(nn.Module):
    def forward(self, x):
        return F.silu(x) + F.dropout(x, training=self.training) + torch.tanh(x)


class Held(nn.Module):
    """An activation that is registered, and also held where registration cannot see it."""

    def __init__(self):
        super().__init__()
        self.linear, self.act = nn.Linear(4, 4), nn.SiLU()
        self.used = [self.act]

    def forward(self, x):
        return self.used[0](self.linear(x))


class InPlace(nn.Module):
    """Relies on an activation that overwrites its input."""

    def __init__(self):
        super().__init__()
        self.linear, self.act = nn.Linear(4, 4), nn.SiLU(inplace=True)

    def forward(self, x):
        x = self.linear(x)
        self.act(x)
        return x


class Restless(nn.Module):
    """Everything a pass can leave behind: batch statistics, counters, random numbers, a cache that is replaced."""

    def __init__(self):
        super().__init__()
        self.conv, self.norm, self.act = nn.Conv2d(3, 4, 1), nn.BatchNorm2d(4), nn.SiLU()
        self.drop = nn.Dropout(0.5)
        self.register_buffer("calls", torch.zeros(()))
        self.register_buffer("cache", torch.zeros(2))

    def forward(self, x):
        self.calls += 1
        self.cache = torch.rand(3)
        return self.drop(self.act(self.norm(self.conv(x)))) + torch.rand(1) * 0


def mlp(act=nn.SiLU):
    return nn.Sequential(nn.Linear(4, 8), act(), nn.Linear(8, 5), act())
