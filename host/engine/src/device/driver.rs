//! The NVIDIA driver: `libcuda.so.1`, wherever the loader finds it. It is asked which cards it shows;
//! nothing is computed on them, and no context is made.

use std::ffi::{CStr, OsStr, c_char, c_int, c_uint};

use libloading::os::unix::{Library, RTLD_LOCAL, RTLD_NOW};
use serde::{Deserialize, Serialize};

use super::card::Card;
use super::child;
use super::error::{DRIVER, DeviceError};
use crate::cancel::Cancel;
use crate::error::causes;

/// The driver, as it describes itself and its cards.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Driver {
    /// The newest CUDA that it serves, such as `13.0`.
    pub cuda: String,
    /// The cards that it shows to this process: all, unless `CUDA_VISIBLE_DEVICES` hides some.
    pub cards: Vec<Card>,
}

/// Answer of a child that asked the driver.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum Answer {
    Driver(Driver),
    Absent { reason: String },
    Refused { code: i32, words: String },
}

/// Asks the driver, in a process of its own.
///
/// # Errors
/// There is none, it refuses, or it does not answer.
pub fn ask_driver(cancel: &Cancel) -> Result<Driver, DeviceError> {
    match child::ask(DRIVER, &[OsStr::new("driver")], cancel)? {
        Answer::Driver(driver) => Ok(driver),
        Answer::Absent { reason } => Err(DeviceError::NoDriver { reason }),
        Answer::Refused { code, words } => Err(DeviceError::Driver { code, words }),
    }
}

/// Name of the driver's library.
const LIBRARY: &str = "libcuda.so.1";

// Numbers of cuda.h.
const SUCCESS: c_int = 0;
const NO_DEVICE: c_int = 100;
const MULTIPROCESSORS: c_int = 16;
const CAPABILITY_MAJOR: c_int = 75;
const CAPABILITY_MINOR: c_int = 76;

/// No machine has as many.
const MOST_CARDS: c_int = 1024;
/// How much of a text of the driver's is kept.
const LONGEST: usize = 200;

/// Looks at the driver from within this process, which must be a child that may crash or hang.
pub(super) fn look() -> Answer {
    // SAFETY: it is the system's own driver, and this process does nothing else.
    let library = match unsafe { Library::open(Some(LIBRARY), RTLD_NOW | RTLD_LOCAL) } {
        Ok(library) => library,
        Err(error) => {
            let reason = clean(&loader_words(&error));
            return Answer::Absent { reason };
        }
    };
    let driver = Functions { library };
    match driver.describe() {
        Ok(described) => Answer::Driver(described),
        Err(Refusal::Missing(name)) => Answer::Absent {
            reason: format!("its {LIBRARY} has no function {name}"),
        },
        Err(Refusal::Code(code)) => Answer::Refused {
            code,
            words: driver.words(code),
        },
    }
}

/// Why a question has no answer.
enum Refusal {
    Missing(&'static str),
    Code(c_int),
}

/// The functions of the driver's library.
struct Functions {
    library: Library,
}

type Init = unsafe extern "C" fn(c_uint) -> c_int;
type GetNumber = unsafe extern "C" fn(*mut c_int) -> c_int;
type Get = unsafe extern "C" fn(*mut c_int, c_int) -> c_int;
type GetName = unsafe extern "C" fn(*mut c_char, c_int, c_int) -> c_int;
type GetMemory = unsafe extern "C" fn(*mut usize, c_int) -> c_int;
type GetAttribute = unsafe extern "C" fn(*mut c_int, c_int, c_int) -> c_int;
type GetUuid = unsafe extern "C" fn(*mut [u8; 16], c_int) -> c_int;
type GetErrorString = unsafe extern "C" fn(c_int, *mut *const c_char) -> c_int;

impl Functions {
    fn describe(&self) -> Result<Driver, Refusal> {
        let init: Init = self.function("cuInit")?;
        let (version, count): (GetNumber, GetNumber) = (
            self.function("cuDriverGetVersion")?,
            self.function("cuDeviceGetCount")?,
        );
        let (mut newest, mut cards) = (0, 0);
        // SAFETY: as cuda.h declares them; the pointer is to a number of this frame.
        check(unsafe { version(&raw mut newest) })?;
        // SAFETY: as above.
        match unsafe { init(0) } {
            NO_DEVICE => {}
            started => {
                check(started)?;
                // SAFETY: as above.
                check(unsafe { count(&raw mut cards) })?;
            }
        }
        let cards = (0..cards.clamp(0, MOST_CARDS)).map(|number| self.card(number));
        Ok(Driver {
            cuda: format!("{}.{}", newest / 1000, newest % 1000 / 10),
            cards: cards.collect::<Result<_, _>>()?,
        })
    }

    fn card(&self, number: c_int) -> Result<Card, Refusal> {
        let get: Get = self.function("cuDeviceGet")?;
        let get_name: GetName = self.function("cuDeviceGetName")?;
        let get_memory: GetMemory = self.function("cuDeviceTotalMem_v2")?;
        let get_attribute: GetAttribute = self.function("cuDeviceGetAttribute")?;
        let mut device = 0;
        // SAFETY: as cuda.h declares it; the pointer is to a number of this frame.
        check(unsafe { get(&raw mut device, number) })?;
        let mut name: [c_char; 256] = [0; 256];
        // SAFETY: as above, and the length is one less than the array's, so that it ends with a zero.
        check(unsafe { get_name(name.as_mut_ptr(), 255, device) })?;
        // SAFETY: the last byte is still zero.
        let name = unsafe { CStr::from_ptr(name.as_ptr()) };
        let mut memory = 0;
        // SAFETY: as above.
        check(unsafe { get_memory(&raw mut memory, device) })?;
        let attribute = |which| {
            let mut value = 0;
            // SAFETY: as above.
            check(unsafe { get_attribute(&raw mut value, which, device) })?;
            Ok(value)
        };
        Ok(Card {
            number: number.cast_unsigned(),
            name: clean(&name.to_string_lossy()),
            uuid: self.uuid(device)?,
            memory: memory as u64,
            compute_capability: format!(
                "{}.{}",
                attribute(CAPABILITY_MAJOR)?,
                attribute(CAPABILITY_MINOR)?
            ),
            multiprocessors: attribute(MULTIPROCESSORS)?.cast_unsigned(),
        })
    }

    /// The card's own name, or that of its slice: the second form of the question is answered with
    /// the slice's where a card is divided, and with the card's where not.
    fn uuid(&self, device: c_int) -> Result<String, Refusal> {
        let whole: GetUuid = self.function("cuDeviceGetUuid")?;
        let part: Result<GetUuid, _> = self.function("cuDeviceGetUuid_v2");
        let ask = |question: GetUuid| {
            let mut uuid = [0; 16];
            // SAFETY: as cuda.h declares it; the pointer is to 16 bytes of this frame.
            check(unsafe { question(&raw mut uuid, device) })?;
            Ok(uuid)
        };
        let card = ask(whole)?;
        let part = part.and_then(ask).unwrap_or(card);
        let kind = if part == card { "GPU" } else { "MIG" };
        let digits = format!("{:032x}", u128::from_be_bytes(part));
        let (a, b, c) = (&digits[..8], &digits[8..12], &digits[12..16]);
        Ok(format!(
            "{kind}-{a}-{b}-{c}-{}-{}",
            &digits[16..20],
            &digits[20..]
        ))
    }

    /// The driver's text for an error.
    fn words(&self, code: c_int) -> String {
        let known = self.function::<GetErrorString>("cuGetErrorString").ok();
        let words = known.and_then(|get| {
            let mut text = std::ptr::null();
            // SAFETY: as cuda.h declares it; the pointer is to a pointer of this frame.
            let got = unsafe { get(code, &raw mut text) };
            // SAFETY: where it succeeds, it points to a text of the library's own.
            (got == SUCCESS && !text.is_null()).then(|| unsafe { CStr::from_ptr(text) })
        });
        words.map_or("unknown error".to_owned(), |words| {
            clean(&words.to_string_lossy())
        })
    }

    fn function<T: Copy>(&self, name: &'static str) -> Result<T, Refusal> {
        // SAFETY: every type asked for is that of the function of this name in cuda.h.
        let symbol = unsafe { self.library.get::<T>(name.as_bytes()) };
        symbol.map(|it| *it).map_err(|_| Refusal::Missing(name))
    }
}

fn check(code: c_int) -> Result<(), Refusal> {
    if code == SUCCESS {
        Ok(())
    } else {
        Err(Refusal::Code(code))
    }
}

/// The loader's own message about a library that it did not open.
pub(crate) fn loader_words(error: &libloading::Error) -> String {
    let words = causes(error).last().map(ToString::to_string);
    words.unwrap_or_else(|| error.to_string())
}

/// A text for one line of a terminal.
pub(crate) fn clean(text: &str) -> String {
    let plain = text.chars().filter(|it| !it.is_control());
    plain.take(LONGEST).collect()
}
