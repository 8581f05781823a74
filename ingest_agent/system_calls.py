"""A filter of system calls (seccomp) for a process that only computes: all but a few are refused with EPERM.

What is left: memory, waiting, reading and writing what is open already, signals to itself, the end.
"""

import ctypes
import errno
import os
import platform
import struct
import sys

PR_SET_SECCOMP, PR_SET_NO_NEW_PRIVS, MODE_FILTER = 22, 38, 2
SET_MODE_FILTER, ALL_THREADS = 1, 1
ALLOW, REFUSE = 0x7FFF0000, 0x00050000 | errno.EPERM
# linux/bpf_common.h: load a word of seccomp_data, jump if equal, return.
LOAD, EQUAL, RETURN = 0x20, 0x15, 0x06
NUMBER_AT, ARCHITECTURE_AT, FIRST_ARGUMENT_AT = 0, 4, 16
INSTRUCTION = struct.Struct("=HBBI")
# machine -> (its AUDIT_ARCH, number of seccomp, number of tgkill, numbers of what is allowed)
ARCHITECTURES = {
    "x86_64": (
        0xC000003E,
        317,
        234,
        {
            "read": 0,
            "write": 1,
            "close": 3,
            "fstat": 5,
            "poll": 7,
            "lseek": 8,
            "mmap": 9,
            "mprotect": 10,
            "munmap": 11,
            "brk": 12,
            "rt_sigaction": 13,
            "rt_sigprocmask": 14,
            "rt_sigreturn": 15,
            "writev": 20,
            "sched_yield": 24,
            "mremap": 25,
            "madvise": 28,
            "nanosleep": 35,
            "setitimer": 38,
            "getpid": 39,
            "sendto": 44,
            "recvfrom": 45,
            "sendmsg": 46,
            "recvmsg": 47,
            "exit": 60,
            "getrusage": 98,
            "sigaltstack": 131,
            "gettid": 186,
            "futex": 202,
            "sched_getaffinity": 204,
            "restart_syscall": 219,
            "clock_gettime": 228,
            "clock_nanosleep": 230,
            "exit_group": 231,
            "ppoll": 271,
            "getcpu": 309,
            "getrandom": 318,
            "membarrier": 324,
            "rseq": 334,
        },
    ),
    "aarch64": (
        0xC00000B7,
        277,
        131,
        {
            "close": 57,
            "lseek": 62,
            "read": 63,
            "write": 64,
            "writev": 66,
            "ppoll": 73,
            "fstat": 80,
            "exit": 93,
            "exit_group": 94,
            "futex": 98,
            "nanosleep": 101,
            "setitimer": 103,
            "clock_gettime": 113,
            "clock_nanosleep": 115,
            "sched_getaffinity": 123,
            "sched_yield": 124,
            "restart_syscall": 128,
            "sigaltstack": 132,
            "rt_sigaction": 134,
            "rt_sigprocmask": 135,
            "rt_sigreturn": 139,
            "getrusage": 165,
            "getcpu": 168,
            "getpid": 172,
            "gettid": 178,
            "sendto": 206,
            "recvfrom": 207,
            "sendmsg": 211,
            "recvmsg": 212,
            "brk": 214,
            "munmap": 215,
            "mremap": 216,
            "mmap": 222,
            "mprotect": 226,
            "madvise": 233,
            "getrandom": 278,
            "membarrier": 283,
            "rseq": 293,
        },
    ),
}


class _Program(ctypes.Structure):
    _fields_ = (("length", ctypes.c_ushort), ("instructions", ctypes.c_void_p))


def program(machine: str, pid: int) -> bytes:
    """Return the filter for a machine's kind and a process's number, in the kernel's own instructions."""
    architecture, _, tgkill, allowed = ARCHITECTURES[machine]
    steps = [
        (LOAD, 0, 0, ARCHITECTURE_AT),
        (EQUAL, 1, 0, architecture),
        (RETURN, 0, 0, REFUSE),
        (LOAD, 0, 0, NUMBER_AT),
    ]
    for number in allowed.values():
        steps += [(EQUAL, 0, 1, number), (RETURN, 0, 0, ALLOW)]
    steps += [  # abort() sends its signal by it
        (EQUAL, 0, 3, tgkill),
        (LOAD, 0, 0, FIRST_ARGUMENT_AT),
        (EQUAL, 0, 1, pid),
        (RETURN, 0, 0, ALLOW),
        (RETURN, 0, 0, REFUSE),
    ]
    return b"".join(INSTRUCTION.pack(*step) for step in steps)


def filter_system_calls() -> bool:
    """Refuse this process, for good, all but what computing takes; False where there is no such filter."""
    machine = platform.machine()
    if sys.platform != "linux" or machine not in ARCHITECTURES or sys.maxsize < 2**32:
        return False
    libc = ctypes.CDLL(None, use_errno=True)
    libc.prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)
    instructions = program(machine, os.getpid())
    kept = ctypes.create_string_buffer(instructions, len(instructions))
    given = _Program(len(instructions) // INSTRUCTION.size, ctypes.addressof(kept))
    number = ARCHITECTURES[machine][1]
    if libc.syscall(number, SET_MODE_FILTER, ALL_THREADS, ctypes.byref(given)) == 0:
        return True
    # systemd's @system-service has no `seccomp`, but `prctl`, which does the same for this thread alone.
    return bool(libc.prctl(PR_SET_SECCOMP, MODE_FILTER, ctypes.byref(given), 0, 0) == 0)
