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

/// From here on the calling process, which has one thread yet, starts no other process; threads it may have.
///
/// # Errors
/// Why it may not go on, in words for people.
pub(super) fn alone() -> Result<(), String> {
    rustix::thread::set_no_new_privs(true).map_err(|error| format!("no_new_privs was refused: {error}"))?;
    let rule = |calls: &[libc::c_long], rules: &[SeccompRule], errno: libc::c_int| {
        let calls = calls.iter().map(|call| (*call, rules.to_vec())).collect();
        let arch = TargetArch::try_from(std::env::consts::ARCH)?;
        let refused = SeccompAction::Errno(errno.unsigned_abs());
        BpfProgram::try_from(SeccompFilter::new(calls, SeccompAction::Allow, refused, arch)?)
    };
    let filters = || -> Result<[BpfProgram; 3], seccompiler::BackendError> {
        let thread = u64::from(libc::CLONE_THREAD.unsigned_abs());
        let masked = SeccompCmpOp::MaskedEq(thread);
        let process = SeccompRule::new(vec![SeccompCondition::new(0, SeccompCmpArgLen::Dword, masked, 0)?])?;
        // Its flags lie in memory, where a filter cannot look: the C library falls back on the older call.
        let newer = rule(&[libc::SYS_clone3], &[], libc::ENOSYS)?;
        Ok([newer, rule(&[libc::SYS_clone], &[process], libc::EPERM)?, rule(FORKS, &[], libc::EPERM)?])
    };
    let filters = filters().map_err(|error| format!("the system call filter could not be built: {error}"))?;
    filters.iter().filter(|filter| !filter.is_empty()).try_for_each(|filter| {
        seccompiler::apply_filter(filter).map_err(|error| format!("the system call filter was refused: {error}"))
    })
}

/// The older ways to a new process, where the processor's list of calls has them.
#[cfg(target_arch = "x86_64")]
const FORKS: &[libc::c_long] = &[libc::SYS_fork, libc::SYS_vfork];
#[cfg(not(target_arch = "x86_64"))]
const FORKS: &[libc::c_long] = &[];

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
