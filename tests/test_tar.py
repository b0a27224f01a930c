"""Tars, member by member: the same members as `tarfile` finds, and what is refused."""

from __future__ import annotations

import contextlib
import gzip
import io
import os
import tarfile
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from documents_support import (
    JPG,
    SQUARE,
    as_files,
    general,
    measured,
    refusal,
    sa1b,
    samples,
    text,
    write_tar,
)
from tfdp_fast.errors import TfdpError
from tfdp_fast.formats._tar import BLOCK, TarError, TarReader

FORMATS = [tarfile.USTAR_FORMAT, tarfile.GNU_FORMAT, tarfile.PAX_FORMAT]
DOCUMENTS = {number: text(sa1b(number, [SQUARE])) for number in range(3)}
NAMES = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), min_size=1, max_size=300)


def read_all(path: Path) -> list[tuple[str, bytes]]:
    with TarReader(path) as reader:
        return [(member.name, reader.content(member)) for member in reader.members()]


@pytest.mark.parametrize("dialect", FORMATS)
@pytest.mark.parametrize("mode", ["w", "w:gz"])
@given(contents=st.lists(st.tuples(NAMES, st.binary(max_size=1100)), max_size=6))
def test_members_are_those_of_tarfile(
    tmp_path_factory: pytest.TempPathFactory, dialect: int, mode: str, contents: list[tuple[str, bytes]]
) -> None:
    path = tmp_path_factory.mktemp("tar") / "a.tar"
    with tarfile.open(path, mode, format=dialect) as tar:  # type: ignore[call-overload]
        for name, content in contents:
            member = tarfile.TarInfo(name)
            member.size = len(content)
            with contextlib.suppress(ValueError):  # a name that USTAR has no place for
                tar.addfile(member, io.BytesIO(content))
    expected = []
    with tarfile.open(path) as tar:
        for member in tar:
            file = tar.extractfile(member)
            if file is not None and not member.name.rpartition("/")[2].startswith("._"):
                expected.append((member.name, file.read()))
    assert read_all(path) == expected


def test_members_say_where_they_are(tmp_path: Path) -> None:
    """From the first header, a long name's own, to the next."""
    path = write_tar(tmp_path / "a.tar", [("a" * 120, b"x" * 700), ("b", b""), ("c", b"y")])
    data = path.read_bytes()
    with TarReader(path) as reader:
        members = list(reader.members())
        assert [member.begin for member in members] == [0, members[0].end, members[1].end]
        for member in members:
            assert data[member.begin : member.end] == b"".join(reader.parts(member.begin, member.end))
            assert data[member.data : member.data + member.size] == reader.content(member)
    assert data[members[-1].end :].strip(b"\0") == b""


def add(path: Path, **fields: object) -> Path:
    """A tar of one document, and one member more."""
    write_tar(path, [("sa_1.json", text(sa1b(1, [SQUARE])))])
    with tarfile.open(path, "a") as tar:
        member = tarfile.TarInfo("odd")
        for name, value in fields.items():
            setattr(member, name, value)
        tar.addfile(member, io.BytesIO(bytes(member.size)))
    return path


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        ({"type": tarfile.SYMTYPE, "linkname": "/etc/passwd"}, "is a symbolic link"),
        ({"type": tarfile.LNKTYPE, "linkname": "sa_1.json"}, "is a hard link"),
        ({"type": tarfile.CHRTYPE}, "is a device"),
        ({"type": tarfile.BLKTYPE}, "is a device"),
        ({"type": tarfile.FIFOTYPE}, "is a pipe"),
        ({"type": b"Z"}, "is of an unknown kind"),
        ({"type": tarfile.GNUTYPE_SPARSE}, "is a sparse file"),
        ({"pax_headers": {"GNU.sparse.major": "1"}}, "is a sparse file"),
        ({"name": "/tmp/sa_2.json"}, "its name leads out of the tar"),
        ({"name": "a/../../sa_2.json"}, "its name leads out of the tar"),
        ({"name": "../sa_2.json"}, "its name leads out of the tar"),
    ],
)
def test_members_that_are_not_touched(fields: dict[str, object], reason: str, tmp_path: Path) -> None:
    path = add(tmp_path / "sa_0.tar", **fields)
    record = f"member {fields.get('name', 'odd')}"
    assert str(refusal(path)) == f"{path}: {record}: {reason}"
    data, _, _ = measured(path, on_error="skip")
    assert data.image_ids.tolist() == [1]
    assert [(p.file, p.record, p.reason, p.row) for p in data.problems] == [(str(path), record, reason, 1)]


@pytest.mark.parametrize("fields", [{"type": tarfile.DIRTYPE}, {"name": "a/._sa_2.json", "size": 100}])
def test_members_that_are_passed_over(fields: dict[str, object], tmp_path: Path) -> None:
    data, _, _ = measured(add(tmp_path / "sa_0.tar", **fields))
    assert data.image_ids.tolist() == [1]


def cut(path: Path, size: int) -> Path:
    path.write_bytes(path.read_bytes()[:size])
    return path


def test_a_tar_that_is_cut(tmp_path: Path) -> None:
    """Anywhere: what came before is kept, and the fault is told; `tarfile` keeps silent at some places."""
    whole = write_tar(tmp_path / "sa_0.tar", samples(DOCUMENTS))
    content = whole.read_bytes()
    with TarReader(whole) as reader:
        ends = {member.name: member.end for member in reader.members()}
    end = max(ends.values())
    for size in range(0, end + BLOCK, BLOCK // 2):
        whole.write_bytes(content[:size])
        error = refusal(whole)
        data, _, _ = measured(whole, on_error="skip")
        complete = [number for number in DOCUMENTS if ends[f"sa_{number}.json"] <= size]
        assert data.image_ids.tolist() == complete
        (problem,) = data.problems
        assert (problem.record, problem.reason, problem.file) == (error.record, error.reason, str(whole))
        assert problem.reason.startswith(("is cut off", "is empty", "is no tar"))
    whole.write_bytes(content[: end + BLOCK])
    assert measured(whole)[0].image_ids.tolist() == list(DOCUMENTS)


def test_how_cuts_are_told(tmp_path: Path) -> None:
    path = write_tar(tmp_path / "sa_0.tar", [("sa_1.json", DOCUMENTS[1]), ("sa_1.jpg", JPG)])
    after = BLOCK + -(-len(DOCUMENTS[1]) // BLOCK) * BLOCK
    for size, told in [
        (after + 2 * BLOCK, "shard: is cut off after sa_1.jpg"),
        (after + BLOCK + 3, "member sa_1.jpg: is cut off"),
        (after + 3, "shard: is cut off after sa_1.json"),
        (after, "shard: is cut off after sa_1.json"),
        (BLOCK + 9, "member sa_1.json: is cut off"),
        (9, "shard: is no tar"),
        (0, "shard: is empty"),
    ]:
        assert str(refusal(cut(path, size))) == f"{path}: {told}"


def test_a_packed_tar_that_is_cut(tmp_path: Path) -> None:
    path = tmp_path / "sa_0.tar.gz"
    write_tar(path, [*samples(DOCUMENTS), ("x.bin", os.urandom(200_000))], "w:gz")
    cut(path, 100_000)
    assert refusal(path).reason == "is cut off: the compressed data ends too early"
    data, _, _ = measured(path, on_error="skip")
    assert data.image_ids.tolist() == list(DOCUMENTS)
    path.write_bytes(gzip.compress(b"") + b"no gzip")
    assert refusal(path).reason.startswith("cannot be decompressed: ")


def test_sizes_that_are_not_believed(tmp_path: Path) -> None:
    """A header, or a longer one before it, may promise any number of bytes, or fewer than none."""
    for name, size, told in [
        ("sa_1.json", 2**60, "member sa_1.json: is cut off"),
        ("sa_1.json", -1024, "member sa_1.json: has a negative size"),
        ("sa_1.jpg", 2**40, "member sa_1.jpg: is cut off"),
    ]:
        member = tarfile.TarInfo(name)
        member.size = size
        path = tmp_path / "sa_0.tar"
        path.write_bytes(member.tobuf(tarfile.GNU_FORMAT) + bytes(10240))
        assert str(refusal(path)) == f"{path}: {told}"
        packed = tmp_path / "sa_0.tar.gz"
        packed.write_bytes(gzip.compress(path.read_bytes()))
        assert refusal(packed).reason.startswith(("is cut off", "has a negative size", "has 1,15"))
    for kind in (tarfile.GNUTYPE_LONGNAME, tarfile.XHDTYPE, tarfile.XGLTYPE):
        member = tarfile.TarInfo("long")
        member.type, member.size = kind, 2**50
        path.write_bytes(member.tobuf(tarfile.GNU_FORMAT) + bytes(10240))
        assert refusal(path).reason == f"is damaged after its beginning: a name of {2**50} bytes"


def test_headers_without_a_file(tmp_path: Path) -> None:
    member = tarfile.TarInfo("long")
    member.type, member.size = tarfile.GNUTYPE_LONGNAME, 5
    path = tmp_path / "sa_0.tar"
    path.write_bytes(member.tobuf(tarfile.GNU_FORMAT) + b"hello".ljust(BLOCK, b"\0") + bytes(1024))
    assert refusal(path).reason == "is damaged after its beginning: a header lacks its file"


def test_what_is_no_tar(tmp_path: Path) -> None:
    path = tmp_path / "sa_0.tar"
    path.write_bytes(text(general(1)) * 20)
    assert str(refusal(path)) == f"{path}: shard: is no tar"
    path.unlink()
    os.mkfifo(path)
    descriptor = os.open(path, os.O_RDWR)  # so that opening it does not wait
    try:
        assert str(refusal(path)) == f"{path}: shard: cannot be read: Illegal seek"
    finally:
        os.close(descriptor)


def test_one_bad_shard_leaves_the_others(tmp_path: Path) -> None:
    for shard, number in enumerate(DOCUMENTS):
        write_tar(tmp_path / f"sa_{shard}.tar", samples({number: DOCUMENTS[number]}))
    cut(tmp_path / "sa_1.tar", 100)
    data, _, _ = measured(tmp_path, on_error="skip")
    assert data.image_ids.tolist() == [0, 2]
    assert [(p.file, p.row) for p in data.problems] == [(f"{tmp_path}/sa_1.tar", 1)]


@pytest.mark.parametrize("dialect", FORMATS)
def test_damage_at_every_byte(dialect: int, tmp_path: Path) -> None:
    """Another byte anywhere: an error of ours, or a data set, and nothing else."""
    path = tmp_path / "a.tar"
    with tarfile.open(path, "w", format=dialect) as tar:
        for name in ("ä" * 40 + "/k.json", "k.jpg"):
            member = tarfile.TarInfo(name)
            content = text(general(1)) if name.endswith("json") else JPG
            member.size = len(content)
            tar.addfile(member, io.BytesIO(content))
    whole = path.read_bytes().rstrip(b"\0")
    for at in range(len(whole)):
        for byte in {0, 0x80, whole[at] ^ 1} - {whole[at]}:
            path.write_bytes(whole[:at] + bytes([byte]) + whole[at + 1 :] + bytes(2048))
            with contextlib.suppress(TfdpError):
                data, counts, _ = measured(path, on_error="skip")
                assert len(data.image_ids) <= 1
                assert len(counts) == len(data.rows)


@given(st.data())
def test_damage_of_any_kind(tmp_path_factory: pytest.TempPathFactory, data: st.DataObject) -> None:
    path = write_tar(tmp_path_factory.mktemp("tar") / "sa_0.tar", samples(DOCUMENTS))
    content = bytearray(path.read_bytes()[: 8 * BLOCK])
    for _ in range(data.draw(st.integers(1, 4))):
        at = data.draw(st.integers(0, len(content)))
        upto = data.draw(st.integers(at, min(at + 600, len(content))))
        content[at:upto] = data.draw(st.binary(max_size=20))
    path.write_bytes(gzip.compress(content) if data.draw(st.booleans()) else content)
    with contextlib.suppress(TfdpError):
        measured(path, on_error="skip")


def test_files_in_a_folder_are_no_tar(tmp_path: Path) -> None:
    folder = as_files(tmp_path / "a", DOCUMENTS)
    with pytest.raises(TarError, match="is no tar"):
        read_all(folder / "sa_1.json")
