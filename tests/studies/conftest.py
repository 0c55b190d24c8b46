import pytest
from training.tiny import tiny_model, write_data


@pytest.fixture(scope="session")
def tiny_data(tmp_path_factory):
    """44 training and 21 test images in ten classes, each class a colour."""
    folder = tmp_path_factory.mktemp("study_data")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("HF_DATASETS_CACHE", str(folder / "cache"))
        yield write_data(folder / "data")


@pytest.fixture(autouse=True)
def _tiny_model_is_registered():
    with tiny_model():
        yield
