//! System calls that no build needs, and that lead past the walls or deep into the kernel.
//!
//! Owns the list, and the program for the kernel's filter (seccomp, classic BPF) that answers each of them with
//! `EPERM`. The walls hold without it; what is not reachable cannot be broken. Invariant: a program in another
//! instruction set, whose calls have other numbers, is ended.

use libc::{BPF_ABS, BPF_JEQ, BPF_JGE, BPF_JMP, BPF_K, BPF_LD, BPF_RET, BPF_W};
use libc::{SECCOMP_RET_ALLOW, SECCOMP_RET_ERRNO, SECCOMP_RET_KILL_PROCESS};

/// Keys of the session that called, files by their number, mounts and namespaces, and what is there for
/// debuggers, virtual machines and administrators.
const REFUSED: [libc::c_long; 34] = [
    libc::SYS_add_key,
    libc::SYS_keyctl,
    libc::SYS_request_key,
    libc::SYS_open_by_handle_at,
    libc::SYS_name_to_handle_at,
    libc::SYS_mount,
    libc::SYS_umount2,
    libc::SYS_pivot_root,
    libc::SYS_move_mount,
    libc::SYS_open_tree,
    libc::SYS_fsopen,
    libc::SYS_fsconfig,
    libc::SYS_fsmount,
    libc::SYS_fspick,
    libc::SYS_mount_setattr,
    libc::SYS_unshare,
    libc::SYS_setns,
    libc::SYS_bpf,
    libc::SYS_perf_event_open,
    libc::SYS_userfaultfd,
    libc::SYS_io_uring_setup,
    libc::SYS_io_uring_enter,
    libc::SYS_io_uring_register,
    libc::SYS_init_module,
    libc::SYS_finit_module,
    libc::SYS_delete_module,
    libc::SYS_kexec_load,
    libc::SYS_acct,
    libc::SYS_quotactl,
    libc::SYS_swapon,
    libc::SYS_swapoff,
    libc::SYS_reboot,
    libc::SYS_settimeofday,
    libc::SYS_clock_settime,
];

/// Where the number of a call, and its instruction set, stand in what a filter is shown.
const NUMBER: u32 = 0;
const ARCHITECTURE: u32 = 4;
/// The instruction set of this program, as the kernel numbers them; none where it is not known here.
const OWN: Option<u32> = if cfg!(target_arch = "x86_64") {
    Some(0xc000_003e)
} else if cfg!(target_arch = "aarch64") {
    Some(0xc000_00b7)
} else {
    None
};
/// Numbers from here on are those of a second set of calls on x86-64.
const SECOND_SET: u32 = 0x4000_0000;

/// The filter; none on a machine whose instruction set is not known here.
pub(super) fn filter() -> Option<Vec<u8>> {
    let load = |at| instruction(BPF_LD | BPF_W | BPF_ABS, 0, 0, at);
    let answer = |what| instruction(BPF_RET | BPF_K, 0, 0, what);
    let unless = |test, value, skipped| instruction(BPF_JMP | test | BPF_K, skipped, 0, value);
    let mut program = vec![load(ARCHITECTURE), unless(BPF_JEQ, OWN?, 1), answer(SECCOMP_RET_KILL_PROCESS)];
    program.extend([load(NUMBER), instruction(BPF_JMP | BPF_JGE | BPF_K, 0, 1, SECOND_SET)]);
    program.push(answer(SECCOMP_RET_ERRNO | libc::EPERM as u32));
    for call in REFUSED {
        program.push(instruction(BPF_JMP | BPF_JEQ | BPF_K, 0, 1, u32::try_from(call).ok()?));
        program.push(answer(SECCOMP_RET_ERRNO | libc::EPERM as u32));
    }
    program.push(answer(SECCOMP_RET_ALLOW));
    Some(program.concat())
}

/// One instruction: what it does, how many it skips when a test holds and when it does not, and a value.
fn instruction(code: u32, if_so: u8, if_not: u8, value: u32) -> Vec<u8> {
    let code = u16::try_from(code).expect("codes of instructions are small");
    [&code.to_ne_bytes()[..], &[if_so, if_not], &value.to_ne_bytes()].concat()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_filter_is_whole_instructions_and_ends_with_what_it_allows() {
        let filter = filter().expect("the instruction set of this machine is known");
        assert_eq!(filter.len(), (6 + 2 * REFUSED.len() + 1) * 8);
        assert_eq!(filter[filter.len() - 4..], SECCOMP_RET_ALLOW.to_ne_bytes());
    }
}
