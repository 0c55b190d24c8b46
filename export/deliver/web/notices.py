"""Whose work a page holds, for its `LICENSES.txt`."""

from collections.abc import Mapping
from textwrap import shorten
from typing import Any

from zoo.console.visible import visible

_MIT = """\
Permission is hereby granted, free of charge, to any person obtaining a copy of this software and associated
documentation files (the "Software"), to deal in the Software without restriction, including without limitation the
rights to use, copy, modify, merge, publish, distribute, sublicense, and/or sell copies of the Software, and to permit
persons to whom the Software is furnished to do so, subject to the following conditions:

The above copyright notice and this permission notice shall be included in all copies or substantial portions of the
Software.

THE SOFTWARE IS PROVIDED "AS IS", WITHOUT WARRANTY OF ANY KIND, EXPRESS OR IMPLIED, INCLUDING BUT NOT LIMITED TO THE
WARRANTIES OF MERCHANTABILITY, FITNESS FOR A PARTICULAR PURPOSE AND NONINFRINGEMENT. IN NO EVENT SHALL THE AUTHORS OR
COPYRIGHT HOLDERS BE LIABLE FOR ANY CLAIM, DAMAGES OR OTHER LIABILITY, WHETHER IN AN ACTION OF CONTRACT, TORT OR
OTHERWISE, ARISING FROM, OUT OF OR IN CONNECTION WITH THE SOFTWARE OR THE USE OR OTHER DEALINGS IN THE SOFTWARE.
"""


def notices(record: Mapping[str, Any]) -> str:
    """The text, for a page with this record (see `export.deliver.web.record`)."""
    name, version = record["runtime"].split()
    weights = record["license"] or "not stated in the file"
    model, weights = (visible(shorten(text, 80)) for text in (record["name"], weights))
    return f"""\
The page (index.html, style.css, *.js beside it): salu-zoo, Apache License 2.0,
https://www.apache.org/licenses/LICENSE-2.0

The model (model.onnx): {model}, licence of its weights: {weights}

Images (samples/, check.png): {record["samples_note"]}
check.png is a test image of CIFAR-10 by Alex Krizhevsky, https://www.cs.toronto.edu/~kriz/cifar.html

The runtime (runtime/): {name} {version}, Copyright (c) Microsoft Corporation, MIT License, as published on
https://www.npmjs.com/package/{name}/v/{version}; only the endings .mjs of its files became .js. Notices of what it
contains: https://github.com/microsoft/onnxruntime/blob/v{version}/ThirdPartyNotices.txt

{_MIT}"""
