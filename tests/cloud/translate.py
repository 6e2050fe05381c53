"""Translates a SAM template into plain CloudFormation, as AWS does when it is deployed.

    translate.py TEMPLATE REGION BUCKET KEY

Reads the parameters as a JSON object from standard input and writes the translated template as JSON. The
code of every function is said to be at KEY in BUCKET, which is what `sam package` does to a local folder.
"""

import json
import os
import sys

from samtranslator.translator.transform import transform
from samtranslator.yaml_helper import yaml_parse


class NoManagedPolicies:
    """The translator looks managed policies up by name; ours names none."""

    def load(self):
        return {}


def main():
    path, region, bucket, key = sys.argv[1:]
    os.environ["AWS_DEFAULT_REGION"] = region
    with open(path, encoding="utf-8") as file:
        template = yaml_parse(file.read())
    for resource in template["Resources"].values():
        if resource["Type"] == "AWS::Serverless::Function":
            resource["Properties"]["CodeUri"] = {"Bucket": bucket, "Key": key}
    translated = transform(template, json.load(sys.stdin), NoManagedPolicies())
    json.dump(translated, sys.stdout, indent=1, default=str)


if __name__ == "__main__":
    main()
