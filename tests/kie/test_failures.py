"""What failure messages are about: KIE's own wordings, those of other image services, and paraphrases."""

import pytest

from bot.domain.image_api_errors import Ambiguous, ImageApiError, TaskRefused, TryLater
from bot.domain.states import Failure
from bot.kie.failures import create_error, task_failure

MESSAGES: dict[Failure, tuple[str, ...]] = {
    Failure.MODERATED: (
        "The prompt was flagged as sensitive",
        "Blocked by our safety system",
        "Request Moderated",
        "Content Moderated",
        "Stopped by a MODERATOR",
        "NSFW content detected",
        "The input could not be processed",
        "The prompt was rejected",
        "content violates policy",
        "content_policy_violation",
        "content-policy-violation",
        "Your prompt violates our content policies",
        "The image contains inappropriate content.",
        "Blocked by the provider's content filters",
        "Your prompt was blocked by one of our filters",
        "Prompt blocked due to policy",
        "The generated image was filtered out",
        "All images were filtered out because they violated the provider's usage guidelines.",
        "The response is blocked, as it may violate our policies. If you believe this is an error, contact support.",
        "Your request was rejected as a result of our safety system. Please try again with another prompt.",
        "Your request was rejected by content moderation. Adjust your input and try again.",
        "the prompt may violate our guardrails around nudity, sexuality, or erotic content",
        "This prompt contains sensitive words that violate Responsible AI practices.",
        "Potential NSFW content was detected in one or more images. A black image will be returned instead.",
        "Derivative Works Filter triggered",
        "Request Moderated: Safety Filter",
        "PUBLIC_ERROR_UNSAFE_GENERATION",
        "Invalid image: nudity was found in it",
        "The input image was flagged by the safety filter",
        "Your prompt did not pass the content review",
        "Image failed the safety check",
        "This request goes against our community guidelines",
        "The request was refused because of prohibited words",
        "Prompts about real people are not allowed",
        "Generation stopped: copyright",
        "The text you entered is not permitted",
        "Adult content detected",
        "Against our terms of service",
        "moderation_blocked",
        "We cannot generate this image as it may infringe third-party rights",
        "内容包含敏感词",
        "Sorry, we can't help with creating that image.",
        "The model refused to generate this image for safety reasons",
        "Image contains minors",
        "DataInspectionFailed",
        "Not safe for work",
        "A possible self-harm topic was detected",
        "Generation was stopped by content guard",
        "harm category: dangerous content",
        "Policy check failed",
    ),
    Failure.UNAVAILABLE: (
        "safety checker service unavailable",
        "safety service unavailable",
        "NSFW checker unavailable, sensitive content not judged",
        "The moderation service timed out",
        "Moderation service error",
        "The content filter is not responding",
        "Unable to reach the safety checker",
        "Failed to run the NSFW check",
        "The safety check could not be completed",
        "content moderation is overloaded, try again later",
        "rejected because the server is busy",
        "Request rejected: too many requests",
        "Your request was rejected due to high demand",
        "Blocked by rate limiting",
        "The model is currently overloaded. Please try again later.",
        "Service temporarily unavailable",
        "upstream connection refused",
        "Gateway timeout",
        "Task timed out",
        "The request could not be processed because the upstream service is down",
        "The queue is full",
        "Rejected, all workers are busy",
        "The server rejected the connection",
        "Request blocked: quota exceeded",
        "No available GPU",
        "Moderation endpoint returned 503",
        "The model is loading",
        "Your request was declined because of too many concurrent tasks",
        "Rejected: insufficient GPU capacity",
        "safety check failed: internal error",
        "declined by load balancer: no healthy upstream",
        "blocked by Cloudflare",
        "DNS resolution failed for safety host",
    ),
    Failure.REFERENCE_UNREADABLE: (
        "Image fetch failed. The address could not be reached.",
        "input_urls must hold 1 to 8 addresses",
        "Failed to fetch the image",
        "Failed to fetch the image: server unavailable",
        "Failed to download image from https://files.example.com/busy-server-timeout.png",
        "Unable to load the input image",
        "Could not read reference 2",
        "Error while downloading the provided picture",
        "Image download timed out",
        "image size exceeds the limit",
        "Image size exceeds 10MB",
        "The image dimensions are too large",
        "Input image is too big",
        "Image format is not supported",
        "Unsupported image format",
        "file type not supported",
        "Invalid image",
        "The URL is not publicly accessible",
        "image could not be decoded",
        "cannot identify image file",
        "The reference is corrupted",
        "This is not a valid image",
        "The image URL returned 404",
        "Could not process the reference image",
        "The image you provided has an unsupported format",
        "Fetching the picture failed with 403 forbidden",
        "Your media file is unavailable",
        "The reference image link has expired",
        "Image has too many pixels",
        "Image mime type text/html is not supported",
        "HTTP 404 while downloading reference",
        "The URL you sent does not point to an image",
    ),
    Failure.OUT_OF_CREDITS: (
        "Insufficient credits",
        "You do not have enough balance: balance is insufficient, please top up",
        "Not enough credits to run this model",
        "Your account is out of credits",
        "Your account balance isn't enough",
        "Payment required",
    ),
    Failure.MAINTENANCE: ("The service is under maintenance", "Down for scheduled maintenance"),
    Failure.REJECTED: (
        "aspect_ratio is not within the range of allowed options",
        "Prompt is too long",
        "Request rejected: invalid aspect_ratio",
        "missing required parameter: resolution",
        "This field is required",
    ),
    Failure.KEY_REFUSED: (
        "Your account has been suspended",
        "Invalid API key",
        "IP not in the whitelist",
        "You do not have access permissions",
    ),
    Failure.BROKEN: (
        "Internal Error, Please try again later.",
        "generate playground failed, task id is blank",
        "Internal Server Error",
        "Could not be processed, please try again later",
        "Image generation failed",
        "Unknown error",
        "Failed to save the generated image",
        "The model name is case-sensitive",
        "Failed to upload the generated image to storage",
        "Generation failed, no image returned",
        "",
    ),
}


@pytest.mark.parametrize(
    ("message", "failure"), [(message, failure) for failure, messages in MESSAGES.items() for message in messages]
)
def test_what_a_message_is_about(message: str, failure: Failure) -> None:
    assert task_failure("500", message) is failure
    assert task_failure(None, message.upper()) is failure


@pytest.mark.parametrize(
    ("code", "message", "failure"),
    [
        ("402", None, Failure.OUT_OF_CREDITS),
        ("433", "sub-key limit, request blocked", Failure.OUT_OF_CREDITS),
        ("408", "content moderation did not answer", Failure.UNAVAILABLE),
        ("429", "request rejected", Failure.UNAVAILABLE),
        ("455", "prohibited for now", Failure.MAINTENANCE),
        ("505", "feature disabled", Failure.UNAVAILABLE),
        ("403", "forbidden", Failure.KEY_REFUSED),
        ("403", "blocked by content filters", Failure.MODERATED),
        ("content_policy_violation", None, Failure.MODERATED),
        ("999", None, Failure.BROKEN),
        (None, None, Failure.BROKEN),
    ],
)
def test_what_a_code_adds(code: str | None, message: str | None, failure: Failure) -> None:
    assert task_failure(code, message) is failure


@pytest.mark.parametrize(
    ("code", "message", "error", "failure"),
    [
        (500, "aspect_ratio is required", TaskRefused, Failure.REJECTED),
        (500, "The prompt was flagged", TaskRefused, Failure.MODERATED),
        (500, "Failed to fetch the image", TaskRefused, Failure.REFERENCE_UNREADABLE),
        (500, "Insufficient credits", TryLater, Failure.OUT_OF_CREDITS),
        (401, "no access", TryLater, Failure.KEY_REFUSED),
        (403, None, TryLater, Failure.KEY_REFUSED),
        (403, "content policy violation", TaskRefused, Failure.MODERATED),
        (422, "anything", TaskRefused, Failure.REJECTED),
        (404, "no such model", TaskRefused, Failure.REJECTED),
        *(
            (500, message, Ambiguous, None)
            for message in (None, "", "Internal Server Error", "Internal Error, Please try again later.", "Server busy")
        ),
        (502, "Bad gateway", Ambiguous, None),
    ],
)
def test_what_a_refused_creation_says(
    code: int, message: str | None, error: type[ImageApiError], failure: Failure | None
) -> None:
    raised = create_error(code, message)
    assert type(raised) is error
    assert getattr(raised, "failure", None) is failure
