//! Which system calls a run may make: what Landlock leaves open is closed here.
//!
//! Landlock knows nothing of Unix sockets with a path and of UDP. A run of the daemon's own user could otherwise speak to
//! the daemon's sockets, to a container engine or to a message bus, and a read could talk to the network.

use std::collections::BTreeMap;

use seccompiler::{
    BpfProgram, SeccompAction, SeccompCmpArgLen, SeccompCmpOp, SeccompCondition, SeccompFilter, SeccompRule, TargetArch,
};

use super::Reach;

/// Refused to every run: ways around the other two walls, and ways into other processes and the kernel.
const NEVER: &[libc::c_long] = &[
    // Makes sockets and opens files without the calls that are filtered.
    libc::SYS_io_uring_setup,
    libc::SYS_io_uring_enter,
    libc::SYS_io_uring_register,
    // Other processes' memory and files.
    libc::SYS_ptrace,
    libc::SYS_process_vm_readv,
    libc::SYS_process_vm_writev,
    libc::SYS_pidfd_getfd,
    libc::SYS_kcmp,
    libc::SYS_open_by_handle_at,
    // Keys of other sessions of the same user.
    libc::SYS_add_key,
    libc::SYS_request_key,
    libc::SYS_keyctl,
    // New views of the machine.
    libc::SYS_mount,
    libc::SYS_umount2,
    libc::SYS_pivot_root,
    libc::SYS_unshare,
    libc::SYS_setns,
    // The kernel itself.
    libc::SYS_bpf,
    libc::SYS_perf_event_open,
    libc::SYS_userfaultfd,
    libc::SYS_init_module,
    libc::SYS_finit_module,
    libc::SYS_kexec_load,
];
/// Kinds of sockets that a run with a network may make; netlink tells the resolver which addresses there are.
const FAMILIES: &[libc::c_int] = &[libc::AF_INET, libc::AF_INET6, libc::AF_NETLINK];

/// Filters the calling thread and every process it starts, for good. Needs `no_new_privs`.
///
/// # Errors
/// Why nothing may run, in words for people.
pub(super) fn filter(reach: Reach) -> Result<(), String> {
    let program = program(reach).map_err(|error| format!("the system call filter could not be built: {error}"))?;
    seccompiler::apply_filter(&program).map_err(|error| format!("the system call filter was refused: {error}"))
}

fn program(reach: Reach) -> Result<BpfProgram, seccompiler::BackendError> {
    let mut rules: BTreeMap<i64, Vec<SeccompRule>> = NEVER.iter().map(|call| (*call, Vec::new())).collect();
    let sockets = match reach {
        // No rule under a number refuses it whatever its arguments are.
        Reach::Reads => Vec::new(),
        Reach::Changes => vec![SeccompRule::new(
            FAMILIES
                .iter()
                .map(|family| {
                    let family = u64::from(family.unsigned_abs());
                    SeccompCondition::new(0, SeccompCmpArgLen::Dword, SeccompCmpOp::Ne, family)
                })
                .collect::<Result<_, _>>()?,
        )?],
    };
    rules.insert(libc::SYS_socket, sockets);
    let refused = SeccompAction::Errno(libc::EACCES.unsigned_abs());
    let arch = TargetArch::try_from(std::env::consts::ARCH)?;
    SeccompFilter::new(rules, SeccompAction::Allow, refused, arch)?.try_into()
}
