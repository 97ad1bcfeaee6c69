"""What only the deployment meets: Terraform against Lambda and CloudWatch."""
from typing import Any

from moto.awslambda.models import LambdaFunction
from moto.cloudwatch.responses import CloudWatchResponse


def correct() -> None:
    functions_keep_their_logging()
    composite_alarms_exist()


def functions_keep_their_logging() -> None:
    """LoggingConfig is dropped, which Terraform reads as a change at each plan."""
    make, show, update = LambdaFunction.__init__, LambdaFunction.get_configuration, LambdaFunction.update_configuration

    def init(self: Any, account_id: str, spec: dict[str, Any], region: str, version: int = 1) -> None:
        make(self, account_id, spec, region, version)
        self.certpace_logging = spec.get("LoggingConfig")

    def get_configuration(self: Any, on_create: bool = False) -> dict[str, Any]:
        defaults = {"LogFormat": "Text", "LogGroup": f"/aws/lambda/{self.function_name}"}
        return show(self, on_create) | {"LoggingConfig": defaults | (getattr(self, "certpace_logging", None) or {})}

    def update_configuration(self: Any, config_updates: dict[str, Any]) -> dict[str, Any]:
        self.certpace_logging = config_updates.get("LoggingConfig", getattr(self, "certpace_logging", None))
        return update(self, config_updates)

    LambdaFunction.__init__ = init
    LambdaFunction.get_configuration = get_configuration
    LambdaFunction.update_configuration = update_configuration


def composite_alarms_exist() -> None:
    """PutCompositeAlarm is missing, though what it needs is there: PutMetricAlarm takes AlarmRule."""
    CloudWatchResponse.put_composite_alarm = CloudWatchResponse.put_metric_alarm
