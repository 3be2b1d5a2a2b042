"""The keys of one system: one that signs tokens, and those that verify them, which may be several while keys change."""

import hashlib
import os
import secrets
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import (
    Ed25519PrivateKey,
    Ed25519PublicKey,
)
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_pem_private_key,
    load_pem_public_key,
)

from services.runtime.clock import monotonic_seconds

LOOK_EVERY_SECONDS = 1.0
LOOK_AT_ONCE_SECONDS = 0.1
"""Even forged tokens make a verifier look for newer keys no more often."""


class Keys:
    """The key pair of one system, as two PEM files; made when first asked for.

    Only who issues tokens needs `signing.pem`; a verifier is content with `verifying.pem`, or with the folder
    `verifying/`, which holds every public key whose tokens are good.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._private = folder / "signing.pem"
        self._public = folder / "verifying.pem"
        self._more = folder / "verifying"

    def signing(self) -> Ed25519PrivateKey:
        """The private key; of two processes that make it at once, both get the same."""
        if not self._private.exists():
            self._folder.mkdir(parents=True, exist_ok=True, mode=0o700)
            _create(self._private, _private_pem(Ed25519PrivateKey.generate()))
        key = load_pem_private_key(self._private.read_bytes(), None)
        if not isinstance(key, Ed25519PrivateKey):
            raise TypeError(f"{self._private} holds no Ed25519 key")
        return key

    def verifying(self) -> Ed25519PublicKey:
        """The public key of the one that signs."""
        if self._private.exists() or not self._public.exists():
            key = self.signing().public_key()
            if not self._public.exists():
                _create(self._public, _public_pem(key), 0o644)
            return key
        return _load_public(self._public)

    def all_verifying(self) -> list[Ed25519PublicKey]:
        """Every public key whose tokens are good."""
        found = [_load_public(path) for path in self._more_files()]
        if self._private.exists() or self._public.exists() or not found:
            found.insert(0, self.verifying())
        return found

    def stamp(self) -> object:
        """Another value whenever a key was added, replaced or taken away."""
        paths = (self._private, self._public, self._more)
        return [(p.stat().st_ino, p.stat().st_mtime_ns) for p in paths if p.exists()]

    def rotate(self) -> str:
        """Sign with a new key from now on; tokens of the old one stay good. Returns the new one's name.

        Verifiers learn of the new key before anything is signed with it.
        """
        self._more.mkdir(parents=True, exist_ok=True, mode=0o755)
        self._keep(self.verifying())
        key = Ed25519PrivateKey.generate()
        name = self._keep(key.public_key())
        _create(self._private, _private_pem(key), replace=True)
        _create(self._public, _public_pem(key.public_key()), 0o644, replace=True)
        return name

    def retire(self) -> list[str]:
        """Tokens of older keys are good no longer; returns the names of those keys."""
        current = _name(self.signing().public_key())
        old = [path for path in self._more_files() if _name(_load_public(path)) != current]
        for path in old:
            path.unlink()
        return [path.stem for path in old]

    def _keep(self, key: Ed25519PublicKey) -> str:
        _create(self._more / f"{_name(key)}.pem", _public_pem(key), 0o644)
        return _name(key)

    def _more_files(self) -> list[Path]:
        return sorted(self._more.glob("*.pem"))


class PublicKeys:
    """The public keys of a folder as they are now, looked at again each second."""

    def __init__(self, keys: Keys) -> None:
        self._keys = keys
        self._found: tuple[Ed25519PublicKey, ...] = tuple(keys.all_verifying())
        self._stamp = keys.stamp()
        self._looked_at = monotonic_seconds()

    def now(self, *, at_once: bool = False) -> tuple[Ed25519PublicKey, ...]:
        """The keys: the same tuple as before unless they have changed."""
        pause = LOOK_AT_ONCE_SECONDS if at_once else LOOK_EVERY_SECONDS
        if monotonic_seconds() - self._looked_at >= pause:
            self._looked_at = monotonic_seconds()
            stamp = self._keys.stamp()
            if stamp != self._stamp:
                self._found, self._stamp = tuple(self._keys.all_verifying()), stamp
        return self._found


def _name(key: Ed25519PublicKey) -> str:
    return hashlib.sha256(key.public_bytes(Encoding.Raw, PublicFormat.Raw)).hexdigest()[:16]


def _private_pem(key: Ed25519PrivateKey) -> bytes:
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())


def _public_pem(key: Ed25519PublicKey) -> bytes:
    return key.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)


def _load_public(path: Path) -> Ed25519PublicKey:
    key = load_pem_public_key(path.read_bytes())
    if not isinstance(key, Ed25519PublicKey):
        raise TypeError(f"{path} holds no Ed25519 key")
    return key


def _create(path: Path, content: bytes, mode: int = 0o600, *, replace: bool = False) -> None:
    """Write a whole new file, or leave the one that another process put there first unless it is to be replaced."""
    draft = path.with_name(f".{path.name}.{secrets.token_hex(8)}")
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        if replace:
            draft.replace(path)
        else:
            path.hardlink_to(draft)
    except FileExistsError:
        pass
    finally:
        draft.unlink(missing_ok=True)
