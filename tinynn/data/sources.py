"""Which files make up each data set, their sha256, and where on the web they are. Read dataset.py next, then fetch.py.

A file is read only if it is, byte for byte, the one listed here (of a tuple, one of those). No mirror need be trusted, then.
A mirror has a file under the last part of its name: "mnist/t10k-labels-idx1-ubyte.gz" as mirror + "t10k-labels-idx1-ubyte.gz".
"""
# A student's repository with the files of the KU Leuven course. Where in it the .mat files lie was not confirmed: they are
# looked for beside the scripts that load them.
COURSE = ("https://raw.githubusercontent.com/Alexander-Ghy/Artificial-Neural-Networks-and-Deep-Learning/"
          "3d582abbbcc24e1f1768d70545f8a93404915c05/")

FILES = {
    "mnist": {
        "mnist/train-images-idx3-ubyte.gz": "440fcabf73cc546fa21475e81ea370265605f56be210a4024d2ca8f203523609",
        "mnist/train-labels-idx1-ubyte.gz": "3552534a0a558bbed6aed32b30c495cca23d567ec52cac8be1a0730e8010255c",
        "mnist/t10k-images-idx3-ubyte.gz": "8d422c7b0a1c1c79245a5bcf07fe86e33eeafee792b84584aec276f5a2dbc4e6",
        "mnist/t10k-labels-idx1-ubyte.gz": "f7ae60f92e00ec6debd23a6088c31dbd2371eca3ffa0defaefb259924204aec6",
    },
    "fashion_mnist": {
        "fashion-mnist/train-images-idx3-ubyte.gz": "3aede38d61863908ad78613f6a32ed271626dd12800ba2636569512369268a84",
        "fashion-mnist/train-labels-idx1-ubyte.gz": "a04f17134ac03560a47e3764e11b92fc97de4d1bfaf8ba1a3aa29af54cc90845",
        "fashion-mnist/t10k-images-idx3-ubyte.gz": "346e55b948d973a97e58d2351dde16a484bd415d4595297633bb08f03db6a073",
        "fashion-mnist/t10k-labels-idx1-ubyte.gz": "67da17c76eaffca5446c3361aaab5c3cd6d1c2608764d35dfb1850b086bf8dd5",
    },
    "uci_digits": {
        "uci-digits/optdigits.tra": "e1b683cc211604fe8fd8c4417e6a69f31380e0c61d4af22e93cc21e9257ffedd",
        "uci-digits/optdigits.tes": "6ebb3d2fee246a4e99363262ddf8a00a3c41bee6014c373ed9d9216ba7f651b8",
    },
    "threes": {
        "kuleuven/threes.mat": "a1469feeb986ec29c66be6040ce8da283a676be0a966e5916348e27eaf7e8a62",
    },
    "cifar10_dogs": {
        "cifar10-dogs/cifar10_dogs_train.npz": ("2e025457ead2cbdaa77bd0ed7f558435083f9b8083ca4a26490dfb493e9fc6d5",
                                                # as `fetch` makes it, not compressed: the same images
                                                "c9a8dcb4ae349946d9de1781883f6a590f26e06f1aa7347ac59eb13db1009059"),
    },
    "hopfield_digits": {
        "kuleuven/digits.mat": "a90212520797400fce1101adcae33bc2eb8e7e31007cf59bdf9940920b47c37a",
    },
    "ocean_photographs": {
        "ocean/ocean_day.jpg": "084ae49297ef39834e9ccfbfd8b138aa28db0ad8dc8dd05c1b304598edb1c506",
        "ocean/ocean_sunset.jpg": "616462bfa6f82c1eba1f3395a95aedc4ff57916ea6e9bcc871fe3747f2894dd1",
    },
    "regression_problem": {
        "kuleuven/Data_Problem1_regression.mat": "8892b64603497bfecc7d8f3de402f93759f35f5986d6c17505ea0274cdb70df0",
    },
    "santa_fe_laser": {
        "santafe/lasertrain.dat": "2471442ddccb9b7aa0214e1ba5a885d990c523df6cbdc694abacb0fd191da5f6",
        "santafe/laserpred.dat": "be420706e3928409159f22aac148ea6748f54b4e6863653b31c6e9d6e19ce18f",
    },
}

MIRRORS = {
    "mnist": ("https://ossci-datasets.s3.amazonaws.com/mnist/",
              "https://storage.googleapis.com/cvdf-datasets/mnist/",
              "https://raw.githubusercontent.com/fgnt/mnist/master/"),
    "fashion_mnist": ("http://fashion-mnist.s3-website.eu-central-1.amazonaws.com/",
                      "https://raw.githubusercontent.com/zalandoresearch/fashion-mnist/master/data/fashion/"),
    "uci_digits": ("https://archive.ics.uci.edu/ml/machine-learning-databases/optdigits/",
                   "https://web.archive.org/web/2020id_/https://archive.ics.uci.edu/ml/machine-learning-databases/optdigits/"),
    "threes": (COURSE + "Session3/",),
    "cifar10_dogs": ("https://www.cs.toronto.edu/~kriz/",
                     "https://cave.cs.toronto.edu/kriz/",
                     "https://storage.googleapis.com/s4tf-hosted-binaries/datasets/CIFAR10/"),
    "hopfield_digits": (COURSE + "Session2/",),
    "ocean_photographs": ("https://raw.githubusercontent.com/PythonOT/POT/3f46a247b174918e24e2e448b21de21bb0037b2c/data/",
                          "https://raw.githubusercontent.com/PythonOT/POT/master/data/"),
    "regression_problem": (COURSE + "Session1/",),
    "santa_fe_laser": (COURSE + "Session2/",),
}

# The file of cifar10_dogs is published nowhere: `fetch` makes it from this archive, the binary version of CIFAR-10, 170 MB.
CIFAR10 = "cifar-10-binary.tar.gz", "c4a38c50a1bc5f3a1c5537f2155ab9d68f9f25eb1ed8d9ddda3db29a59bca1dd"
