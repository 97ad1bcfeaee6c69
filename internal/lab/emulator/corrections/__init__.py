"""What certpace relies on and moto 5.2.1 does otherwise than AWS.

correct() applies all of it and returns the WSGI application that serves the whole cloud.
"""
from typing import Any


def correct() -> Any:
    from . import deployment, dynamodb, lab, route53, secretsmanager, speed, sqs

    for part in (speed, dynamodb, sqs, secretsmanager, route53, deployment, lab):
        part.correct()

    from moto.moto_server.werkzeug_app import DomainDispatcherApplication, create_backend_app

    return DomainDispatcherApplication(create_backend_app)
