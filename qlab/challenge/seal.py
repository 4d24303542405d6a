"""A process gives up, for good, what it could do to the machine: limits, and a list of calls."""

import ctypes
import platform
import struct
import sys

try:
    import resource
except ImportError:  # Windows
    resource = None

# The only system calls that stay, with their numbers on x86-64 and on Arm: memory, time, reading
# and writing what is open, and the end.
_CALLS = """
read 0 63
write 1 64
close 3 57
fstat 5 80
lseek 8 62
mmap 9 222
mprotect 10 226
munmap 11 215
brk 12 214
rt_sigaction 13 134
rt_sigprocmask 14 135
rt_sigreturn 15 139
sched_yield 24 124
mremap 25 216
madvise 28 233
getpid 39 172
gettid 186 178
futex 202 98
sched_getaffinity 204 123
sigaltstack 131 132
restart_syscall 219 128
exit 60 93
exit_group 231 94
clock_gettime 228 113
clock_nanosleep 230 115
gettimeofday 96 169
getrandom 318 278
rseq 334 293
"""
_NUMBERS = {
    machine: [int(line.split()[column]) for line in _CALLS.strip().splitlines()]
    for column, machine in enumerate(("x86_64", "aarch64"), 1)
}
_ARCHITECTURES = {"x86_64": 0xC000003E, "aarch64": 0xC00000B7}
_LOAD, _EQUAL, _AT_LEAST, _RETURN = 0x20, 0x15, 0x35, 0x06  # instructions of classic BPF
_ALLOW, _REFUSE, _END = 0x7FFF0000, 0x00050001, 0x80000000  # _REFUSE: error 1, not permitted
_NO_NEW_PRIVILEGES, _SECCOMP, _FILTER = 38, 22, 2  # options of prctl


def seal_process(seconds, memory_bytes, file_bytes):
    """Limit this process, for good."""
    return [*_limit(seconds, memory_bytes, file_bytes), *([] if _filter() else ["system calls"])]


def _limit(seconds, memory_bytes, file_bytes):
    """Set the limits that POSIX has, and name those that could not be set."""
    if resource is None:
        return ["processor time", "memory", "files", "processes"]
    missing = []
    for name, limit, words in (
        ("RLIMIT_CPU", seconds, "processor time"),
        ("RLIMIT_AS", memory_bytes, "memory"),
        ("RLIMIT_FSIZE", file_bytes, "files"),
        ("RLIMIT_NOFILE", 0, "files"),
        ("RLIMIT_NPROC", 0, "processes"),
        ("RLIMIT_CORE", 0, "files"),
    ):
        try:
            hard = limit + (name == "RLIMIT_CPU")  # the soft one ends it with a signal of its own
            resource.setrlimit(getattr(resource, name), (limit, hard))
        except (AttributeError, OSError, ValueError):
            missing.append(words)
    if sys.platform == "darwin" and "memory" not in missing:
        missing.append("memory")  # macOS takes the limit and does not keep it
    return missing


class _Program(ctypes.Structure):
    _fields_ = (("length", ctypes.c_ushort), ("instructions", ctypes.c_char_p))


def program(machine):
    """The filter as classic BPF: a system call that is not on the list fails as not permitted."""
    numbers = _NUMBERS[machine]
    steps = [
        (_LOAD, 0, 0, 4),  # the architecture that the call is made in
        (_EQUAL, 1, 0, _ARCHITECTURES[machine]),
        (_RETURN, 0, 0, _END),
        (_LOAD, 0, 0, 0),  # the number of the call
        (_AT_LEAST, len(numbers), 0, 0x40000000),  # x86: calls of another kind, same architecture
    ]
    for i, number in enumerate(numbers):
        steps.append((_EQUAL, len(numbers) - i, 0, number))
    steps += [(_RETURN, 0, 0, _REFUSE), (_RETURN, 0, 0, _ALLOW)]
    return b"".join(struct.pack("<HBBI", *step) for step in steps)


def _filter():
    """Give up all system calls but those on the list; False where that is not possible."""
    if sys.platform != "linux" or platform.machine() not in _NUMBERS or sys.maxsize < 2**32:
        return False
    code = program(platform.machine())
    filter_ = _Program(len(code) // 8, code)
    prctl = ctypes.CDLL(None, use_errno=True).prctl
    prctl.argtypes = (ctypes.c_int, *4 * (ctypes.c_ulong,))
    if prctl(_NO_NEW_PRIVILEGES, 1, 0, 0, 0):
        return False
    return not prctl(_SECCOMP, _FILTER, ctypes.addressof(filter_), 0, 0)
