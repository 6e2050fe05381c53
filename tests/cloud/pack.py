"""Packs an executable as Lambda wants it, and prints how many bytes that makes.

    pack.py EXECUTABLE ZIP [BYTES_MAX]

Fails if there are more than BYTES_MAX.
"""

import sys
import zipfile

# A file that everybody may run (zip keeps Unix modes in the upper half), at a time that never changes.
MODE = 0o100755 << 16
TIME = (1980, 1, 1, 0, 0, 0)


def main():
    executable, packed, *bytes_max = sys.argv[1:]
    with open(executable, "rb") as file:
        content = file.read()
    entry = zipfile.ZipInfo("bootstrap", TIME)
    entry.compress_type = zipfile.ZIP_DEFLATED
    entry.external_attr = MODE
    with zipfile.ZipFile(packed, "w") as archive:
        archive.writestr(entry, content)
    with open(packed, "rb") as file:
        size = len(file.read())
    print(size)
    if bytes_max and size > int(bytes_max[0]):
        sys.exit(f"{executable}: {size} bytes packed, more than {bytes_max[0]}")


if __name__ == "__main__":
    main()
