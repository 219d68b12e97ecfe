"""The commands beside the verification; each module has `add_arguments(parser)` and `run(args)`.

`run` returns the exit status of the process.
"""

COMMANDS = {"summary": "what a model costs, layer by layer",
            "train": "a network for your own folder of photos",
            "classify": "what is in a photograph, by a network that was trained",
            "check": "whether every photo of a folder can be read, before training on it",
            "runs": "the runs that are kept, their best figures and their disk use",
            "prepare": "the photo folders of the tasks, made of the two published archives"}
