"""Packs one file into a zip as Lambda wants it: executable, and with nothing in it that depends on the moment or the machine.

    python3 zip.py dist/plan/bootstrap dist/plan.zip
"""
import os
import sys
import zipfile

source, target = sys.argv[1:]
entry = zipfile.ZipInfo(os.path.basename(source), date_time=(1980, 1, 1, 0, 0, 0))
entry.create_system = 3  # Unix, so that the mode counts
entry.external_attr = 0o100755 << 16
entry.compress_type = zipfile.ZIP_DEFLATED
with open(source, "rb") as f, zipfile.ZipFile(target, "w") as z:
    z.writestr(entry, f.read(), compresslevel=9)
