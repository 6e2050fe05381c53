"""A Lambda function that calls what its event says, with its own role: shows what the role may do.

The event is {"service", "operation", "parameters"} as for call.py, without bytes; the answer is the error
code, or null. A test puts the line that names the Python in front and packs it as `bootstrap`.
"""

import json
import os
import urllib.request

import botocore.session
from botocore import xform_name
from botocore.exceptions import ClientError

RUNTIME = f"http://{os.environ['AWS_LAMBDA_RUNTIME_API']}/2018-06-01/runtime/invocation"


def answer(session, asked):
    client = session.create_client(asked["service"])
    try:
        getattr(client, xform_name(asked["operation"]))(**asked["parameters"])
    except ClientError as refused:
        return refused.response["Error"]["Code"]
    return None


def main():
    session = botocore.session.Session()
    while True:
        with urllib.request.urlopen(f"{RUNTIME}/next") as event:
            request = event.headers["Lambda-Runtime-Aws-Request-Id"]
            asked = json.load(event)
        told = json.dumps(answer(session, asked)).encode()
        urllib.request.urlopen(f"{RUNTIME}/{request}/response", data=told).close()


main()
