"""Calls AWS operations for a test that has no SDK for them, one for each line of standard input.

    call.py ENDPOINT REGION

A line is {"service", "operation", "parameters"} with names as in the API reference; the answer, a line as
well, is {"ok": …} or {"error": {"code", "message"}}. Bytes are {"$bytes": "<base64>"} both ways, times are
seconds since 1970. One call at a time, without retries, as the account's root, which
the tests' ministack knows by these credentials.
"""

import base64
import datetime
import json
import sys

import botocore.session
from botocore import xform_name
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError
from botocore.response import StreamingBody

CONFIG = Config(
    connect_timeout=5,
    read_timeout=60,
    retries={"total_max_attempts": 1},
    s3={"addressing_style": "path"},
)


def from_line(value):
    if isinstance(value, dict):
        if set(value) == {"$bytes"}:
            return base64.b64decode(value["$bytes"], validate=True)
        return {name: from_line(inner) for name, inner in value.items()}
    if isinstance(value, list):
        return [from_line(inner) for inner in value]
    return value


def to_line(value):
    if isinstance(value, StreamingBody):
        value = value.read()
    if isinstance(value, (bytes, bytearray)):
        return {"$bytes": base64.b64encode(value).decode("ascii")}
    if isinstance(value, datetime.datetime):
        return value.timestamp()
    if isinstance(value, dict):
        return {name: to_line(inner) for name, inner in value.items()}
    if isinstance(value, (list, tuple)):
        return [to_line(inner) for inner in value]
    return value


def answer(client, operation, parameters):
    try:
        reply = getattr(client, xform_name(operation))(**from_line(parameters))
    except ClientError as refused:
        error = refused.response.get("Error", {})
        return {"error": {"code": error.get("Code", ""), "message": error.get("Message", "")}}
    except BotoCoreError as failed:
        return {"error": {"code": type(failed).__name__, "message": str(failed)}}
    reply.pop("ResponseMetadata", None)
    return {"ok": to_line(reply)}


def main():
    endpoint, region = sys.argv[1:]
    session = botocore.session.Session()
    clients = {}
    for line in sys.stdin:
        asked = json.loads(line)
        service = asked["service"]
        if service not in clients:
            clients[service] = session.create_client(
                service,
                region_name=region,
                endpoint_url=endpoint,
                aws_access_key_id="local",
                aws_secret_access_key="local",
                config=CONFIG,
            )
        told = answer(clients[service], asked["operation"], asked["parameters"])
        print(json.dumps(told), flush=True)


if __name__ == "__main__":
    main()
