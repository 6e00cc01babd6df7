"""Passwords: argon2id hashes, and the rules that a new password has to keep."""

import base64
import threading
import unicodedata
from collections.abc import Iterator
from contextlib import contextmanager

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

from cms.errors import InvalidInput, TooManyAttempts

# argon2id with 19 MiB, two passes and one lane: OWASP's Password Storage Cheat
# Sheet. About 30 ms; argon2-cffi's own default takes 64 MiB and 210 ms.
MEMORY_KIB = 19_456
PASSES = 2
LANES = 1
HASHER = PasswordHasher(time_cost=PASSES, memory_cost=MEMORY_KIB, parallelism=LANES)

# NIST SP 800-63B: 15 characters where a password is the only factor, and no
# rules of composition.
MIN_LENGTH = 15
MAX_LENGTH = 128

# A password that is found within this many guesses, as powers of ten, is refused.
COMMON_GUESSES = 8
# The estimate reads so many characters: its time grows fast with their number
# (8 s for 128 hostile ones), and a good password shows itself in the first few.
JUDGED = 32
# A name shorter than this stands in too many words to forbid every password that holds it.
FORBIDDEN_NAME = 4

# Hashings at once in one process, so that a flood of log-ins costs 76 MiB and
# not all memory; and the seconds that one more waits for its turn.
AT_ONCE = 4
PATIENCE = 10
_slots = threading.BoundedSemaphore(AT_ONCE)


def _b64(data: bytes) -> str:
    return base64.b64encode(data).rstrip(b"=").decode()


# The hash that is checked for a name nobody has: the same work, and no password fits.
NOBODY = (
    f"$argon2id$v=19$m={MEMORY_KIB},t={PASSES},p={LANES}"
    f"${_b64(b'nobody has this.')}${_b64(bytes(32))}"
)


def hash_password(password: str) -> str:
    """Return the argon2id hash of a password in its encoded form, at most 255 characters.

    :raises TooManyAttempts: when too many passwords are being hashed at this moment
    """
    with _slot():
        return HASHER.hash(_stable(password))


def fits(password: str, encoded: str | None) -> bool:
    """Whether `password` is the one that was hashed; None takes as long and is never right.

    :raises TooManyAttempts: when too many passwords are being hashed at this moment
    """
    with _slot():
        try:
            return HASHER.verify(encoded or NOBODY, _stable(password))
        except (VerificationError, InvalidHashError):
            return False


def is_outdated(encoded: str) -> bool:
    """Whether a hash was made with other parameters than today's."""
    return HASHER.check_needs_rehash(encoded)


def check_rules(password: str, name: str) -> None:
    """Let pass a new password for the account `name`, or say what is wrong with it.

    :raises InvalidInput: when it is too short, too long, holds the name or is guessed early
    """
    password = _stable(password)
    if len(password) < MIN_LENGTH:
        problem = (
            f"The password has {len(password)} characters; it needs at least {MIN_LENGTH}. "
            "Four or five words that do not belong together are easy to remember."
        )
    elif len(password) > MAX_LENGTH:
        problem = f"The password has {len(password)} characters; at most {MAX_LENGTH} are possible."
    elif _holds_name(password, name):
        problem = "The password contains the account's name. Choose one that does not."
    elif _is_common(password, name):
        problem = (
            "The password is among the first that are guessed: a common one, a repetition or "
            "a row of keys. Choose four or five words that do not belong together."
        )
    else:
        return
    raise InvalidInput(problem, field="new_password")


def _holds_name(password: str, name: str) -> bool:
    password, name = password.casefold(), _stable(name).casefold()
    return password == name or (len(name) >= FORBIDDEN_NAME and name in password)


def _is_common(password: str, name: str) -> bool:
    # Its lists of common words take 10 MB: they come with the first new password.
    from zxcvbn import zxcvbn

    estimate = zxcvbn(password[:JUDGED], user_inputs=[name])
    return float(estimate["guesses_log10"]) < COMMON_GUESSES


def _stable(password: str) -> str:
    """Return the form that is hashed: the same for every keyboard that types it (NFKC)."""
    return unicodedata.normalize("NFKC", password)


@contextmanager
def _slot() -> Iterator[None]:
    if not _slots.acquire(timeout=PATIENCE):
        raise TooManyAttempts("Too many people are logging in at this moment.", wait=PATIENCE)
    try:
        yield
    finally:
        _slots.release()
