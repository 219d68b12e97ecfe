"""The stand-in for the coursework's photographs: seven breeds of drawn dogs, on disk as JPEG files.

    folder = ensure("quick")            drawn once, then found again
    folder/dbi/<breed>/00042.jpg        the studio: clean, centred, larger files
    folder/sdd/<breed>/00042.jpg        the street: clutter, off-centre, poor light
    folder/wide/<class>/00042.jpg       other animals and things, to pretrain on

Every picture follows from (seed, domain, class, index) alone. `SHA256SUMS` in the folder lists all
files (`sha256sum -c` reads it); a folder that does not agree with it is drawn again.
"""

from experiments.standin.breeds import BREEDS as _BREEDS
from experiments.standin.store import PROFILES, VERSION, ensure

BREEDS = tuple(_BREEDS)
LABEL = "stand-in, not the coursework's photos"
