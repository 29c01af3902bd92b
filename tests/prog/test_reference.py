#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""The pages about settings say what the programs say.

  test_reference.py PROGRAM PAGE [PROGRAM PAGE]...
"""
import subprocess
import sys
import unittest

PAIRS = list(zip(sys.argv[1::2], sys.argv[2::2]))
del sys.argv[1:]


class ReferenceTest(unittest.TestCase):
    maxDiff = None

    def test_pages_are_what_the_programs_print(self):
        self.assertTrue(PAIRS)
        for program, page in PAIRS:
            with self.subTest(page=page):
                printed = subprocess.run([program, "--reference"], capture_output=True, text=True, check=True).stdout
                with open(page, encoding="utf-8") as kept:
                    self.assertEqual(kept.read(), printed, f"the page is old; write it anew: {program} --reference > {page}")


if __name__ == "__main__":
    unittest.main()
