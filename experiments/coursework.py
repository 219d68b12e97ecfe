"""The photographs of the coursework: its seven breeds, and how many of each were published."""

from __future__ import annotations

BREEDS = ("bernese_mountain_dog", "border_collie", "chihuahua", "golden_retriever",
          "labrador_retriever", "pug", "siberian_husky")
# {set: {breed: photographs}}, of Dog Breed Images and of the Stanford Dogs Dataset
PUBLISHED = {"dbi": dict(zip(BREEDS, (96, 93, 92, 83, 93, 94, 95))),
             "sdd": dict(zip(BREEDS, (218, 150, 152, 150, 171, 200, 192)))}
