"""`python -m experiments prepare`: the seven breeds out of archives, honest and hostile."""

import io
import os
import tarfile
import zipfile
from pathlib import Path

import pytest

from experiments.cli import main
from experiments.commands import prepare
from experiments.commands.prepare import BREEDS, LARGEST, LIMIT, PUBLISHED, breed_of
from tests.data.image_corpus import PICTURE, PLAIN, jpeg

DBI_FOLDERS = dict(zip(BREEDS, [*BREEDS[:4], "labrador", *BREEDS[5:]]))
SDD_FOLDERS = dict(zip(BREEDS, [
    "n02107683-Bernese_mountain_dog", "n02106166-Border_collie", "n02085620-Chihuahua",
    "n02099601-golden_retriever", "n02099712-Labrador_retriever", "n02110958-pug",
    "n02110185-Siberian_husky"]))
OTHER = jpeg(PICTURE[::-1])


@pytest.fixture(autouse=True)
def folder(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)


def photos(folders=DBI_FOLDERS, count=2, top="images/Images/", **more):
    """{name in the archive: bytes}: `count` photographs, or those of a table, for each breed."""
    counts = count if isinstance(count, dict) else dict.fromkeys(BREEDS, count)
    return {f"{top}{folder}/{i}.jpg": PLAIN for breed, folder in folders.items()
            for i in range(counts[breed])}


def as_zip(files, *odd, method=zipfile.ZIP_DEFLATED):
    with zipfile.ZipFile("a.zip", "w", method) as archive:
        for name, data in files.items():
            archive.writestr(name, data)
        for info in odd:
            archive.writestr(info, "/etc/passwd")
    return "a.zip"


def as_tar(files, *odd, kind="w"):
    name = f"a.tar.{kind[2:]}" if kind[2:] else "a.tar"
    with tarfile.open(name, kind) as archive:
        for member, data in files.items():
            info = tarfile.TarInfo(member)
            info.size = len(data)
            archive.addfile(info, io.BytesIO(data))
        for info in odd:
            archive.fileobj.write(info.tobuf(tarfile.GNU_FORMAT))
    return name


def as_tar_gz(files):
    return as_tar(files, kind="w:gz")


def as_tar_bz2(files):
    return as_tar(files, kind="w:bz2")


def as_tar_xz(files):
    return as_tar(files, kind="w:xz")


def as_folder(files):
    for name, data in files.items():
        path = Path("unpacked", name)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
    return "unpacked"


def made():
    """All files under the output folder, and nothing else may be there."""
    return sorted(str(path.relative_to("out")) for path in Path("out").rglob("*")
                  if not path.is_dir() or path.name.startswith("."))


def run(*argv):
    return main(["prepare", *argv, "--out", "out"])


def fails(capsys, *argv, words):
    """The command ends with status 2, one line, and nothing made."""
    assert run(*argv) == 2
    error = [line for line in capsys.readouterr().err.splitlines() if not line.startswith("[")]
    assert len(error) == 1 and error[0].startswith("experiments: error: "), error
    assert all(word in error[0] for word in words), error
    assert not Path("out").is_dir() or made() == []


def told(capsys):
    """What was printed, as one line, however it was wrapped."""
    return " ".join(capsys.readouterr().out.split())


# --- archives as published -----------------------------------------------------------------------

@pytest.mark.parametrize("pack", [as_zip, as_tar, as_tar_gz, as_tar_bz2, as_tar_xz, as_folder])
@pytest.mark.parametrize("name, folders", [("dbi", DBI_FOLDERS), ("sdd", SDD_FOLDERS)])
def test_every_kind_of_source(pack, name, folders, capsys):
    assert run(f"--{name}", pack(photos(folders))) == 0
    assert made() == sorted(f"{name}/{breed}/{i}.jpg" for breed in BREEDS for i in (0, 1))
    assert Path("out", name, "pug", "0.jpg").read_bytes() == PLAIN
    assert f"14 images in out/{name}, published {sum(PUBLISHED[name].values())}" in (
        told(capsys))


def test_complete_sets_differ_in_nothing(capsys):
    dbi = as_zip(photos(count=PUBLISHED["dbi"]))
    sdd = as_tar(photos(SDD_FOLDERS, PUBLISHED["sdd"], "Images/"))
    assert run("--dbi", dbi, "--sdd", sdd) == 0
    out = told(capsys)
    assert "646 images in out/dbi, published 646" in out
    assert "1233 images in out/sdd, published 1233" in out
    assert "difference" not in out and "+" not in out and "-" not in out
    assert out.count("pug") == 2
    assert len(made()) == 646 + 1233


def test_differences_are_reported_and_no_error(capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "80")
    counts = {**PUBLISHED["dbi"], "pug": 95, "chihuahua": 90}
    assert run("--dbi", as_zip(photos(count=counts))) == 0
    lines = [line.split() for line in capsys.readouterr().out.splitlines()]
    assert ["pug", "95", "94", "+1"] in lines and ["chihuahua", "90", "92", "-2"] in lines
    assert [line[0] for line in lines if len(line) == 4 and line[0] in BREEDS] == [
        "chihuahua", "pug"]


def test_a_narrow_terminal_gets_lines_that_fit(capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "40")
    assert run("--dbi", as_zip({**photos(), "images/pug/bad.jpg": PLAIN[:-50]})) == 0
    lines = capsys.readouterr().out.splitlines()
    assert max(map(len, lines)) <= 40
    at = lines.index("  breed: pug")
    assert lines[at + 1:at + 4] == ["    images: 2", "    published: 94", "    difference: -92"]


def test_progress_goes_to_stderr(capsys):
    run("--dbi", as_zip(photos()))
    error = capsys.readouterr().err
    assert "taking the photographs out of a.zip" in error and "checking siberian_husky" in error


@pytest.mark.parametrize("name, breed", [
    *((folder, breed) for folders in (DBI_FOLDERS, SDD_FOLDERS)
      for breed, folder in folders.items()),
    ("labrador_retriver", "labrador_retriever"), ("n02099712-labrador_retriver",
                                                  "labrador_retriever"),
    ("Siberian Husky", "siberian_husky"), ("BORDER-COLLIE", "border_collie"),
    *((other, None) for other in (
        "corgi", "dachshund", "jack_russell", "n02106030-collie", "n02093754-Border_terrier",
        "n02099267-flat-coated_retriever", "n02099429-curly-coated_retriever",
        "n02099849-Chesapeake_Bay_retriever", "n02107574-Greater_Swiss_Mountain_dog",
        "n02107908-Appenzeller", "n02109961-Eskimo_dog", "n02110063-malamute", "n02110806-basenji",
        "n02112706-Brabancon_griffon", "n02085782-Japanese_spaniel", "pugs", "", "Images", "husky",
        "retriever", "n02110958"))])
def test_names_of_folders(name, breed):
    assert breed_of(name) == breed


def test_what_is_left_out_is_told(capsys):
    files = {**photos(), "images/corgi/1.jpg": PLAIN, "images/corgi/2.jpg": PLAIN,
             "images/dachshund/1.jpg": PLAIN, "readme.txt": b"", "images/pug/list.csv": b"",
             "__MACOSX/images/pug/._1.jpg": b"", "images/pug/.DS_Store": b"",
             "images/pug/bad.jpg": PLAIN[:-50], "images/pug/zero.jpg": b"",
             "Annotation/n02110958-pug/n02110958_1": b"<xml>"}
    assert run("--dbi", as_zip(files)) == 0
    out = told(capsys)
    assert "images of other folders, left out: 3: corgi (2), dachshund (1)" in out
    assert "files that are no readable image, left out: 2: pug/bad.jpg (it is damaged or cut" in out
    assert "pug/zero.jpg (the file is empty)" in out
    assert len(made()) == 14


def test_files_of_one_name(capsys):
    files = {**photos(), "more/pug/0.jpg": PLAIN, "more/pug/1.jpg": OTHER, "more/pug/1.JPG": PLAIN}
    assert run("--dbi", as_zip(files)) == 0
    assert [name for name in made() if "pug" in name] == [
        "dbi/pug/0.jpg", "dbi/pug/1-2.jpg", "dbi/pug/1.jpg"]
    assert Path("out/dbi/pug/1-2.jpg").read_bytes() == OTHER
    out = told(capsys)
    assert "second copies, left out: 2: more/pug/0.jpg, more/pug/1.JPG" in out
    assert "more/pug/1.jpg: another one has that name; this one is now 1-2.jpg" in out


# --- hostile and broken archives -----------------------------------------------------------------

@pytest.mark.parametrize("name", ["../pug/x.jpg", "images/../../pug/x.jpg", "/tmp/pug/x.jpg",
                                  "..\\pug\\x.jpg", "C:\\pug\\x.jpg", "../readme.txt"])
@pytest.mark.parametrize("pack", [as_zip, as_tar])
def test_names_that_lead_outside(pack, name, capsys):
    archive = pack({**photos(), name: PLAIN})
    before = sorted(os.listdir("..")), sorted(os.listdir("."))
    fails(capsys, "--dbi", archive, words=[archive, "leads outside"])
    os.rmdir("out")
    assert (sorted(os.listdir("..")), sorted(os.listdir("."))) == before


def link(kind, target):
    info = tarfile.TarInfo("images/pug/link.jpg")
    info.type, info.linkname = kind, target
    return info


@pytest.mark.parametrize("info", [
    link(tarfile.SYMTYPE, "/etc/passwd"), link(tarfile.LNKTYPE, "images/Images/pug/0.jpg"),
    link(tarfile.CHRTYPE, ""), link(tarfile.BLKTYPE, ""), link(tarfile.FIFOTYPE, "")])
def test_links_and_devices_in_a_tar(info, capsys):
    assert run("--dbi", as_tar(photos(), info)) == 0
    assert "links or special files, left out: 1: images/pug/link.jpg" in told(capsys)
    assert len(made()) == 14


def test_files_with_holes_in_a_tar(capsys):
    """A few bytes there may be gigabytes outside, which no limit on what is read would notice."""
    with tarfile.open("a.tar", "w", format=tarfile.PAX_FORMAT) as archive:
        for name, data in photos().items():
            info = tarfile.TarInfo(name)
            info.size = len(data)
            archive.addfile(info, io.BytesIO(data))
        info = tarfile.TarInfo("images/pug/holes.jpg")
        info.pax_headers = {"GNU.sparse.map": "0,0", "GNU.sparse.size": str(LARGEST)}
        archive.addfile(info)
        archive.fileobj.write(link(tarfile.GNUTYPE_SPARSE, "").tobuf(tarfile.GNU_FORMAT))
    assert Path("a.tar").stat().st_size < 200_000
    assert run("--dbi", "a.tar") == 0
    assert ("links or special files, left out: 2: images/pug/holes.jpg, images/pug/link.jpg"
            in told(capsys))
    assert len(made()) == 14


def test_a_link_in_a_zip_and_one_in_a_folder(capsys):
    info = zipfile.ZipInfo("images/pug/link.jpg")
    info.external_attr = 0o120777 << 16
    assert run("--dbi", as_zip(photos(), info)) == 0
    unpacked = Path(as_folder(photos(SDD_FOLDERS)))
    (unpacked / "images/Images/n02110958-pug/link.jpg").symlink_to("/etc/passwd")
    assert run("--sdd", str(unpacked)) == 0
    assert told(capsys).count("links or special files, left out: 1: ") == 2
    assert len(made()) == 28


def giant(size, kind=tarfile.REGTYPE, name="images/pug/giant.jpg"):
    info = tarfile.TarInfo(name)
    info.size, info.type = size, kind
    return info


@pytest.mark.parametrize("info, words", [
    (giant(LIMIT + 1), "unpacked, it has more than 4 GiB"),
    (giant(1 << 60, name="images/corgi/giant.jpg"), "unpacked, it has more than 4 GiB"),
    (giant(1 << 60, tarfile.XHDTYPE), "a header in it is larger than any real one"),
    (giant(LARGEST + 1, tarfile.GNUTYPE_LONGNAME), "a header in it is larger")])
@pytest.mark.parametrize("kind", ["w", "w:gz", "w:bz2", "w:xz"])
def test_bombs_in_a_tar(kind, info, words, capsys):
    fails(capsys, "--dbi", as_tar(photos(), info, kind=kind), words=["cannot read a.tar", words])


def test_bombs_in_a_zip(capsys):
    mark, size = 1234567, 0xfffffff0
    archive = Path(as_zip({**photos(), "images/pug/a.jpg": bytes(mark),
                           "images/corgi/b.jpg": bytes(mark)}))
    little = mark.to_bytes(4, "little")
    assert archive.read_bytes().count(little) == 4
    archive.write_bytes(archive.read_bytes().replace(little, size.to_bytes(4, "little")))
    fails(capsys, "--dbi", "a.zip", words=["cannot read a.zip: unpacked, it has more than 4 GiB"])


def test_one_huge_file(capsys):
    assert run("--dbi", as_zip({**photos(), "images/pug/a.jpg": bytes(LARGEST + 1)})) == 0
    assert "files of more than 64 MiB, left out: 1: images/pug/a.jpg" in told(capsys)


@pytest.mark.parametrize("pack", [as_zip, as_tar, as_tar_gz, as_tar_bz2, as_tar_xz])
def test_archives_that_are_cut_off(pack, capsys):
    archive = Path(pack(photos()))
    archive.write_bytes(archive.read_bytes()[:archive.stat().st_size // 2])
    fails(capsys, "--dbi", str(archive), words=[str(archive)])


@pytest.mark.parametrize("method", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2,
                                    zipfile.ZIP_LZMA])
def test_a_wrong_byte_in_a_zip(method, capsys):
    archive = Path(as_zip(photos(), method=method))
    data = bytearray(archive.read_bytes())
    data[100] ^= 1
    archive.write_bytes(data)
    fails(capsys, "--dbi", "a.zip", words=["cannot read a.zip: "])


def test_an_offset_before_the_beginning_of_a_zip(capsys):
    """The system refuses to go there; it is the archive that is to blame, not the output."""
    archive = Path(as_zip(photos()))
    data = bytearray(archive.read_bytes())
    data[-6] += 1           # where the directory begins; all offsets are counted from there
    archive.write_bytes(data)
    fails(capsys, "--dbi", "a.zip", words=["cannot read a.zip: "])


@pytest.mark.parametrize("data", [b"", b"PK", b"<html>not found</html>", b"\x1f\x8b", bytes(2000)])
def test_what_is_no_archive(data, capsys):
    Path("a.zip").write_bytes(data)
    fails(capsys, "--dbi", "a.zip", words=["a.zip"])


# --- mistakes and interruptions ------------------------------------------------------------------

def test_a_breed_is_lacking(capsys):
    fails(capsys, "--sdd", as_tar({name: data for name, data in photos(SDD_FOLDERS).items()
                                   if "pug" not in name and "husky" not in name}),
          words=["a.tar has no image of pug, siberian_husky", "the Stanford Dogs Dataset archive"])


def test_nothing_is_asked_for(capsys):
    fails(capsys, words=["give --dbi ARCHIVE, --sdd ARCHIVE or both"])


def test_no_such_archive(capsys):
    fails(capsys, "--dbi", "gone.zip", words=["no file or folder gone.zip"])


def test_a_pipe_is_no_archive(capsys):
    os.mkfifo("a.zip")
    fails(capsys, "--dbi", "a.zip", words=["a.zip is neither a file nor a folder"])


def test_a_set_is_never_replaced(capsys):
    Path("out/dbi/pug").mkdir(parents=True)
    Path("out/dbi/pug/mine.jpg").touch()
    assert run("--sdd", as_tar(photos(SDD_FOLDERS)), "--dbi", as_zip(photos())) == 2
    assert "out/dbi is there already: remove it" in capsys.readouterr().err
    assert made() == ["dbi/pug/mine.jpg"]


def test_an_empty_folder_is_filled(capsys):
    Path("out/dbi").mkdir(parents=True)
    assert run("--dbi", as_zip(photos())) == 0 and len(made()) == 14


@pytest.mark.parametrize("make, words", [
    (lambda: Path("out").touch(), "cannot write to out"),
    (lambda: Path("out").symlink_to("/proc"), "cannot write to out"),
    (lambda: (Path("out").mkdir(), Path("out/dbi").symlink_to("gone")), "out/dbi is there already"),
    (lambda: (Path("out").mkdir(), Path("out/dbi").touch()), "out/dbi is there already")])
def test_no_place_to_write(make, words, capsys):
    make()
    assert run("--dbi", as_zip(photos())) == 2
    assert words in capsys.readouterr().err


def test_the_output_inside_the_source(capsys):
    as_folder(photos())
    assert main(["prepare", "--dbi", "unpacked", "--out", "unpacked/out"]) == 2
    assert "--out unpacked/out is inside unpacked" in capsys.readouterr().err
    assert not Path("unpacked/out").exists()


@pytest.mark.parametrize("error, status", [(KeyboardInterrupt, 130), (OSError(28, "No space"), 2)])
@pytest.mark.parametrize("place", ["_copy", "read_image"])
def test_a_stopped_run_leaves_nothing(place, error, status, monkeypatch, capsys):
    calls = []

    def stop(*args):
        calls.append(args)
        written = Path(args[-1 if place == "read_image" else 1]).resolve()
        assert written.is_relative_to(Path("out").resolve())
        if len(calls) == 5:
            raise error
        return working(*args)

    working = getattr(prepare, place)
    monkeypatch.setattr(prepare, place, stop)
    assert run("--dbi", as_zip(photos())) == status
    assert made() == [] and os.listdir("out") == []
