"""Packages of the distribution: configs/ goes into ``vosr``, where it is found by name without a checkout."""

from setuptools import find_packages, setup

setup(
    packages=[*find_packages(include=["vosr*", "data_pipelines*"]), "vosr.configs"],
    package_dir={"vosr.configs": "configs"},
)
