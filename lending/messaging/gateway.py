import json
import urllib.error
import urllib.request
from http import HTTPStatus
from http.client import HTTPException

from django.conf import settings

from lending.messaging import Message, NotSent

TIMEOUT = 10  # seconds
# Answers about this very message; any other refusal (our token, the load, the moment) may pass.
FOR_GOOD = {HTTPStatus.BAD_REQUEST, HTTPStatus.REQUEST_ENTITY_TOO_LARGE, HTTPStatus.UNPROCESSABLE_ENTITY}


class SmsGatewayBackend:
    """Posts {"id", "to", "text"} as JSON to settings.SMS_GATEWAY_URL with a bearer token; any 2xx is a yes.

    The message key goes along as `id` and as Idempotency-Key, so that the provider can drop a repeat.
    """

    def send(self, message: Message) -> None:
        try:
            with urllib.request.urlopen(self._request(message), timeout=TIMEOUT):  # noqa: S310
                return
        except urllib.error.HTTPError as error:
            raise NotSent(
                f"the SMS gateway answered {error.code}", for_good=error.code in FOR_GOOD
            ) from error
        except (OSError, HTTPException) as error:
            raise NotSent(f"the SMS gateway cannot be reached: {error}") from error

    def _request(self, message: Message) -> urllib.request.Request:
        url = settings.SMS_GATEWAY_URL
        if not url.startswith(("https://", "http://")):
            raise NotSent("SMS_GATEWAY_URL is not set to an http(s) address")
        return urllib.request.Request(  # noqa: S310
            url,
            data=json.dumps({"id": message.key, "to": message.to, "text": message.text}).encode(),
            headers={
                "Content-Type": "application/json",
                "Authorization": f"Bearer {settings.SMS_GATEWAY_TOKEN}",
                "Idempotency-Key": message.key,
            },
        )
