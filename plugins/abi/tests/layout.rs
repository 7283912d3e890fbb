//! The layouts of everything that crosses, as `docs/abi.md` gives them: frozen with version 1.

#![allow(
    clippy::unwrap_used,
    reason = "a test that cannot go on should stop there"
)]

use std::fmt::Write as _;
use std::mem::offset_of;

use abi_stable::StableAbi;
use abi_stable::std_types::{ROption, RSlice, RStr, RString, RVec};
use assay_abi::{
    AlgorithmInfo, AlgorithmMinimum, Batch, BatchSource, Cost, CreateRequest, Crop, EpochOrder,
    Fallible, Handshake, Identity, LearnerHandle, LearnerTable, MetricInfo, MetricSink,
    PlaceSource, Places, Plugin, PluginError, RootHeader, StoredSamples, StoredSplit, TensorView,
};

/// The size of a `#[repr(C)]` struct, then where each field begins that takes room.
fn layout<T: StableAbi>() -> String {
    let layout = T::LAYOUT;
    let mut text = format!("{}:", layout.size());
    let mut end = 0_usize;
    for field in layout.get_fields().unwrap().iter() {
        let begin = end.next_multiple_of(field.layout().alignment());
        end = begin + field.layout().size();
        if end > begin {
            write!(text, " {begin} {}", field.name()).unwrap();
        }
    }
    assert_eq!(end.next_multiple_of(layout.alignment()), layout.size());
    text
}

#[test]
fn structs_lie_as_they_always_did() {
    assert_eq!(
        layout::<PluginError>(),
        "104: 0 code 8 message 40 help 72 chain"
    );
    assert_eq!(layout::<Identity>(), "96: 0 name 32 version 64 description");
    assert_eq!(layout::<MetricInfo>(), "64: 0 name 32 description");
    assert_eq!(
        layout::<AlgorithmInfo>(),
        "160: 0 name 32 summary 64 reference 96 hyperparameters 128 metrics"
    );
    assert_eq!(
        layout::<CreateRequest<'_>>(),
        "80: 0 algorithm 16 network 32 hyperparameters 48 seed 56 device 72 threads"
    );
    assert_eq!(
        layout::<TensorView<'_>>(),
        "56: 0 data 8 bytes 16 dtype 24 shape 40 strides"
    );
    assert_eq!(layout::<Batch<'_>>(), "112: 0 inputs 56 labels");
    assert_eq!(layout::<BatchSource<'_>>(), "16: 0 object 8 next");
    assert_eq!(layout::<MetricSink<'_>>(), "16: 0 object 8 record");
    assert_eq!(layout::<LearnerHandle>(), "56: 0 object 8 table");
    assert_eq!(
        layout::<LearnerTable>(),
        "48: 0 train_epoch 8 predict 16 save 24 restore 32 directions 40 drop"
    );
}

#[test]
fn the_root_module_has_its_four_functions_in_order() {
    assert_eq!(size_of::<Plugin>(), 32);
    assert_eq!(offset_of!(Plugin, identity), 0);
    assert_eq!(offset_of!(Plugin, algorithms), 8);
    assert_eq!(offset_of!(Plugin, create), 16);
    assert_eq!(offset_of!(Plugin, query), 24);
}

#[test]
fn what_the_rest_is_made_of_has_its_size() {
    assert_eq!(size_of::<Handshake>(), 152);
    assert_eq!(size_of::<RootHeader>(), 152);
    assert_eq!(size_of::<AlgorithmMinimum>(), 24);
    assert_eq!(offset_of!(Cost, multiply_adds), 0);
    assert_eq!([offset_of!(Cost, samples), size_of::<Cost>()], [8, 16]);
    assert_eq!(size_of::<Fallible<ROption<Cost>>>(), 8 + 104);
    assert_eq!(size_of::<Fallible<ROption<Places>>>(), 8 + 104);
    assert_eq!(offset_of!(StoredSplit<'_>, height), 4);
    assert_eq!(offset_of!(StoredSplit<'_>, width), 8);
    assert_eq!(offset_of!(StoredSplit<'_>, levels), 16);
    assert_eq!(offset_of!(StoredSplit<'_>, parts), 32);
    assert_eq!(size_of::<StoredSplit<'_>>(), 48);
    assert_eq!(offset_of!(StoredSamples<'_>, labels), 16);
    assert_eq!(size_of::<StoredSamples<'_>>(), 32);
    assert_eq!(offset_of!(EpochOrder<'_>, samples), 8);
    assert_eq!(offset_of!(EpochOrder<'_>, crops), 24);
    assert_eq!(size_of::<EpochOrder<'_>>(), 40);
    assert_eq!([offset_of!(Crop, columns), offset_of!(Crop, flip)], [4, 8]);
    assert_eq!(size_of::<Crop>(), 12);
    assert_eq!([offset_of!(Places, count), size_of::<Places>()], [4, 8]);
    assert_eq!(size_of::<PlaceSource<'_>>(), 16);
    assert_eq!(
        [size_of::<RStr<'_>>(), size_of::<RSlice<'_, u8>>()],
        [16; 2]
    );
    assert_eq!(
        layout::<RVec<u8>>(),
        "32: 0 buffer 8 length 16 capacity 24 vtable"
    );
    assert_eq!(size_of::<RString>(), 32);
    assert_eq!(size_of::<ROption<Batch<'_>>>(), 8 + 112);
    assert_eq!(size_of::<Fallible<()>>(), 8 + 104);
    assert_eq!(size_of::<Fallible<LearnerHandle>>(), 8 + 104);
    assert_eq!(size_of::<Fallible<ROption<Batch<'_>>>>(), 8 + 120);
}
