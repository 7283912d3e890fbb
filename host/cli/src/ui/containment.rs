//! The notice that a kernel contains plugins only in part, printed before one runs.

use assay_core::Containment;

/// The first version of Landlock's interface that leaves no hole this program knows of.
const WHOLE_LANDLOCK: u32 = 6;

/// The gaps in the kernel's containment, or nothing where there are none.
pub(crate) fn notice(kernel: Containment) -> Option<String> {
    let mut holes = Vec::new();
    match kernel.landlock {
        0 => holes.push("without Landlock plugins can read and write your files"),
        1..3 => holes.push("before Linux 6.2 (Landlock 3) plugins can empty your files"),
        3..WHOLE_LANDLOCK if !kernel.seccomp => {
            holes.push("before Linux 6.12 (Landlock 6) plugins can signal your processes");
        }
        _ => {}
    }
    if !kernel.seccomp {
        holes.push("without seccomp plugins can use the network and start programs");
    }
    if !kernel.no_new_privileges {
        holes.push("plugins can gain privileges by starting programs");
    }
    (!holes.is_empty()).then(|| {
        format!(
            "notice: this kernel contains plugins only in part: {}; see docs/containment.md",
            holes.join("; ")
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const WHOLE: Containment = Containment {
        landlock: 7,
        seccomp: true,
        no_new_privileges: true,
    };

    #[test]
    fn a_kernel_that_contains_is_not_worth_a_word() {
        assert_eq!(notice(WHOLE), None);
        assert_eq!(
            notice(Containment {
                landlock: 4,
                ..WHOLE
            }),
            None
        );
    }

    #[test]
    fn each_hole_is_named() {
        let old = notice(Containment {
            landlock: 2,
            ..WHOLE
        })
        .unwrap();
        assert!(old.contains("empty your files"), "{old}");
        let none = Containment {
            landlock: 0,
            seccomp: false,
            no_new_privileges: false,
        };
        let none = notice(none).unwrap();
        for hole in ["without Landlock", "without seccomp", "gain privileges"] {
            assert!(none.contains(hole), "{none}");
        }
    }
}
