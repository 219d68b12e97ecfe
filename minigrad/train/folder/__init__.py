"""The folder of a run, and what is written there.

    run_folder      the folder as a whole: how a run starts, goes on and is saved there
    checkpoint      the state of a training in one file, and the newest of such files
    about           what the network is, kept beside its weights
    identity        what a run is made of, compared with the next attempt to go on with it
    lock            the folder belongs to one process at a time
"""

from minigrad.train.folder.run_folder import NotSavedError, RunFolder, check_finite
