"""SVHN."""

from pathlib import Path

from badood.core.errors import BadInput
from badood.data import dataset, files
from badood.data.published import Published
from badood.data.record import ImageSet, from_array, shown

_ABOUT = Published(
    "svhn",
    "Digits of house numbers at 32x32, 73,257 train and 26,032 test images. Source: Netzer et al. 2011.",
    ("SVHN/{split}_32x32.mat", "svhn/{split}_32x32.mat", "{split}_32x32.mat"),
    "",
    26_032,
    "64 MB (train: 182 MB)",
    "http://ufldl.stanford.edu/housenumbers",
)
files("svhn")(_ABOUT)


@dataset("svhn")
def svhn(path: Path, split: str) -> ImageSet:
    """Digits of house numbers at 32x32, 73,257 train and 26,032 test images. Source: Netzer et al. 2011.

    Args:
        path: folder of the files train_32x32.mat and test_32x32.mat, "cropped digits".
        split: "train" or "test".

    Raises:
        MissingFiles: the split's file is not there.
        BadInput: it is not the file that was published.
    """
    from torchvision.datasets import MNIST, SVHN  # here, because the other data sets load seconds faster without

    file = _ABOUT.place(path, split)
    try:
        raw = SVHN(file.parent, split=split, download=False)
    except (RuntimeError, ValueError, OSError) as error:  # torchvision's words for another checksum, scipy's for no .mat file
        raise BadInput(f"{shown(file)} is not the file that was published ({shown(error)}); fetch it again from {_ABOUT.page}.") from error
    return from_array(f"svhn/{split}", raw.data.transpose(0, 2, 3, 1), raw.labels, tuple(MNIST.classes))
