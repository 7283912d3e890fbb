//! Batches and states as a person may have written them.

use assay_network::Network;
use safetensors::tensor::{Dtype, TensorView};
use safetensors::{SafeTensors, serialize};

use super::batch::LabelledBatch;
use super::state::completed;

type Tensor = (&'static str, Dtype, Vec<usize>);

fn file(tensors: &[Tensor]) -> Vec<u8> {
    let zeros = [0; 4096];
    let views = tensors.iter().map(|(name, dtype, shape)| {
        let bytes = shape.iter().product::<usize>() * dtype.bitsize() / 8;
        let view = TensorView::new(*dtype, shape.clone(), &zeros[..bytes]);
        (*name, view.unwrap())
    });
    serialize(views, None).unwrap()
}

/// Two hidden layers of 5 and 6 units.
fn network() -> Network {
    Network::parse([2, 1, 3], &["fc 5", "fc 6", "softmax 4"]).unwrap()
}

fn inputs(shape: &[usize]) -> Tensor {
    ("inputs", Dtype::F32, shape.to_vec())
}

fn labels(count: usize) -> Tensor {
    ("labels", Dtype::I64, vec![count])
}

fn refused(tensors: &[Tensor]) -> String {
    let error = LabelledBatch::parse(&file(tensors), &network()).unwrap_err();
    error.to_string()
}

#[test]
fn vectors_and_images_are_one_batch() {
    for shape in [&[2, 6][..], &[2, 2, 1, 3]] {
        let bytes = file(&[inputs(shape), labels(2)]);
        let batch = LabelledBatch::parse(&bytes, &network()).unwrap();
        batch
            .with(|batch, noise| {
                assert_eq!(batch.inputs.shape(), [2, 2, 1, 3]);
                assert_eq!(batch.labels.shape(), [2]);
                assert!(noise.is_empty());
                Ok(())
            })
            .unwrap();
    }
}

#[test]
fn a_reconstruction_needs_no_labels() {
    let network = Network::parse([2, 1, 3], &["fc 5", "fc 6"]).unwrap();
    let batch = LabelledBatch::parse(&file(&[inputs(&[2, 6])]), &network).unwrap();
    batch
        .with(|batch, _| {
            assert_eq!(batch.labels.shape(), [2]);
            Ok(())
        })
        .unwrap();
}

#[test]
fn noise_is_handed_on_by_itself() {
    let noise = ("noise.2", Dtype::F32, vec![2, 6]);
    let bytes = file(&[inputs(&[2, 6]), labels(2), noise]);
    let batch = LabelledBatch::parse(&bytes, &network()).unwrap();
    batch
        .with(|_, noise| {
            let noise = SafeTensors::deserialize(noise).unwrap();
            assert_eq!(noise.names(), ["noise.2"]);
            Ok(())
        })
        .unwrap();
}

#[test]
fn tensors_at_fault_are_named_with_what_was_expected() {
    let noise = |name, shape: &[usize]| (name, Dtype::F32, shape.to_vec());
    let whole = [inputs(&[2, 6]), labels(2)];
    let with = |noise| refused(&[&whole[..], &[noise]].concat());
    for (said, expected) in [
        (
            refused(&[labels(2)]),
            "no tensor `inputs`; expected F32 [B, 6]",
        ),
        (
            refused(&[inputs(&[2, 6])]),
            "no tensor `labels`; expected I64 [2]",
        ),
        (
            refused(&[inputs(&[0, 6]), labels(0)]),
            "`inputs` of the batch is F32 [0, 6]",
        ),
        (
            refused(&[inputs(&[]), labels(1)]),
            "F32 [], expected F32 [B, 6] or [B, 2, 1, 3]",
        ),
        (
            refused(&[inputs(&[2, 3, 1, 2]), labels(2)]),
            "F32 [2, 3, 1, 2], expected",
        ),
        (
            refused(&[("inputs", Dtype::F64, vec![2, 6]), labels(2)]),
            "F64 [2, 6], expected F32 [B, 6]",
        ),
        (
            refused(&[inputs(&[2, 6]), labels(3)]),
            "I64 [3], expected I64 [2]",
        ),
        (
            with(noise("noise.1", &[2, 6])),
            "`noise.1` of the batch is F32 [2, 6], expected F32 [2, 5]",
        ),
        (
            with(noise("noise.3", &[2, 4])),
            "a tensor `noise.3`; expected `inputs`, `labels` and perhaps `noise.1` to `noise.2`",
        ),
        (
            with(("noise.tangent.1", Dtype::F64, vec![2, 5])),
            "`noise.tangent.1` of the batch is F64 [2, 5], expected F32 [2, 5]",
        ),
        (with(noise("noise.01", &[2, 5])), "a tensor `noise.01`"),
        (with(noise("noise.", &[2, 5])), "a tensor `noise.`"),
        (with(noise("input", &[2, 6])), "a tensor `input`"),
    ] {
        assert!(said.contains(expected), "no {expected:?} in {said:?}");
    }
}

#[test]
fn a_batch_cut_anywhere_is_refused() {
    let bytes = file(&[inputs(&[2, 6]), labels(2)]);
    for end in 0..bytes.len() {
        assert!(
            LabelledBatch::parse(&bytes[..end], &network()).is_err(),
            "{end}"
        );
    }
}

#[test]
fn only_what_decides_no_direction_is_completed() {
    let tensor = |name| (name, Dtype::F32, vec![1]);
    let own = file(&["forward.1.weight", "noise.key", "optimiser.forward.step"].map(tensor));
    let given = file(&[("noise.key", Dtype::F32, vec![3])]);
    let completed = completed(&given, &own).unwrap();
    let completed = SafeTensors::deserialize(&completed).unwrap();
    let mut names = completed.names();
    names.sort_unstable();
    assert_eq!(names, ["noise.key", "optimiser.forward.step"]);
    assert_eq!(completed.tensor("noise.key").unwrap().shape(), [3]);
}
