"""The catalogue: what becomes of AWS's lists, whole, partial, empty, vast or strange; ids; first choices."""

from __future__ import annotations

import itertools
import json
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any, Literal

import pytest

from services import clients, model_ids, model_lists, models, pricing, settings
from services.capabilities import capabilities_of
from services.clients import Identity
from services.models import Catalogue, Model, UnknownModelId
from tests.unit.fake_bedrock import FakeBedrock

ACCOUNT = "arn:aws:bedrock:us-east-1:123456789012"
MODEL = "arn:aws:bedrock:us-east-1::foundation-model"
_epochs = itertools.count()


@pytest.fixture(autouse=True)
def price_file(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    monkeypatch.setattr(settings, "get", lambda: settings.Settings(local_data=tmp_path / "local"))
    return tmp_path / "prices.toml"


@pytest.fixture
def identity() -> Identity:
    """One that no other test has: nothing is cached for it."""
    return Identity("aws", None, "us-east-1", next(_epochs))


Serve = Callable[..., FakeBedrock]


@pytest.fixture
def serve(monkeypatch: pytest.MonkeyPatch) -> Serve:
    """Puts a bedrock with these answers in AWS's place."""

    def start(**answers: Any) -> FakeBedrock:
        bedrock = FakeBedrock(**answers)
        monkeypatch.setattr(clients, "client", lambda service, identity: bedrock.client)
        return bedrock

    return start


def foundation(model_id: str, name: str = "", **members: Any) -> dict[str, Any]:
    return {
        "modelId": model_id,
        "modelArn": f"{MODEL}/{model_id}",
        "modelName": name or model_id,
        "providerName": model_id.partition(".")[0].capitalize(),
        "inputModalities": ["TEXT"],
        "outputModalities": ["TEXT"],
        "responseStreamingSupported": True,
        "inferenceTypesSupported": ["ON_DEMAND"],
        "modelLifecycle": {"status": "ACTIVE"},
        **members,
    }


def profile(
    profile_id: str, *model_arns: str, type: str = "SYSTEM_DEFINED", **members: Any
) -> dict[str, Any]:
    kind = "inference-profile" if type == "SYSTEM_DEFINED" else "application-inference-profile"
    return {
        "inferenceProfileId": profile_id,
        "inferenceProfileArn": f"{ACCOUNT}:{kind}/{profile_id}",
        "inferenceProfileName": f"Profile {profile_id}",
        "models": [{"modelArn": arn} for arn in model_arns],
        "status": "ACTIVE",
        "type": type,
        **members,
    }


def profiles(*summaries: dict[str, Any]) -> Callable[[dict[str, str]], dict[str, Any]]:
    """ListInferenceProfiles, which filters by type."""
    return lambda query: {"inferenceProfileSummaries": [s for s in summaries if s["type"] == query["type"]]}


def by_id(catalogue: Catalogue) -> dict[str, Model]:
    return {model.model_id: model for model in catalogue.models}


def test_a_foundation_model_is_joined_with_capabilities_and_price(serve: Serve, identity: Identity) -> None:
    serve(
        ListFoundationModels={
            "modelSummaries": [
                foundation(
                    "amazon.nova-lite-v1:0",
                    "Nova Lite",
                    providerName="Amazon",
                    inputModalities=["TEXT", "IMAGE", "VIDEO"],
                )
            ]
        }
    )
    (model,) = models.catalogue(identity).models
    assert (model.name, model.provider, model.kind, model.scope) == (
        "Nova Lite",
        "Amazon",
        "foundation",
        "in_region",
    )
    assert model.capabilities.input_modalities == {"TEXT", "IMAGE", "VIDEO", "DOCUMENT"}
    assert model.capabilities.bounds == capabilities_of("amazon.nova-lite-v1:0").bounds
    assert model.price == pricing.price_of(identity, "amazon.nova-lite-v1:0")
    assert model.can_chat
    assert model.callable
    assert (model.group, model.label, model.access) == ("On demand", "Nova Lite", "unknown")
    assert model.destination_regions == ("us-east-1",)


def test_profiles_are_joined_with_their_model_by_arn(serve: Serve, identity: Identity) -> None:
    claude = "anthropic.claude-haiku-4-5-20251001-v1:0"
    serve(
        ListFoundationModels={
            "modelSummaries": [
                foundation(
                    claude,
                    "Claude Haiku 4.5",
                    inferenceTypesSupported=["INFERENCE_PROFILE"],
                    inputModalities=["TEXT", "IMAGE"],
                )
            ]
        },
        ListInferenceProfiles=profiles(
            profile(f"global.{claude}", f"{MODEL}/{claude}", f"arn:aws:bedrock:::foundation-model/{claude}"),
            profile(
                f"us.{claude}", f"{MODEL}/{claude}", f"arn:aws:bedrock:us-west-2::foundation-model/{claude}"
            ),
        ),
    )
    catalogue = models.catalogue(identity)
    assert not catalogue.problems
    found = by_id(catalogue)
    geo, everywhere, base = found[f"us.{claude}"], found[f"global.{claude}"], found[claude]
    assert (geo.scope, geo.geography, geo.group) == ("geo", "us", "Inference profiles – US geo")
    assert geo.destination_regions == ("us-east-1", "us-west-2")
    assert (everywhere.scope, everywhere.group) == ("global", "Inference profiles – global")
    for model in (geo, everywhere):
        assert model.callable
        assert model.base_model_id == claude
        assert model.capabilities.input_modalities == {"TEXT", "IMAGE", "DOCUMENT"}
    assert geo.price is not None
    assert everywhere.price is not None
    assert geo.price.input_usd_per_mtok > everywhere.price.input_usd_per_mtok
    assert not base.callable
    assert base.use_instead == geo.model_id, "data stay in the geography where that is possible"
    assert geo.model_id in base.why_not
    assert base.group == "Not callable by this ID"
    assert catalogue.models[-1] is base, "what cannot be called stands last"


def test_application_profiles_run_where_their_models_stand(serve: Serve, identity: Identity) -> None:
    nova = "amazon.nova-2-lite-v1:0"
    arn = f"arn:aws:bedrock:{{}}::foundation-model/{nova}"
    serve(
        ListFoundationModels={"modelSummaries": [foundation(nova, "Nova 2 Lite")]},
        ListInferenceProfiles=profiles(
            profile("aaaaaaaaaaa1", arn.format(""), arn.format("us-east-1"), type="APPLICATION"),
            profile("aaaaaaaaaaa2", arn.format("us-east-1"), arn.format("us-west-2"), type="APPLICATION"),
            profile("aaaaaaaaaaa3", arn.format("us-east-1"), type="APPLICATION"),
            profile(
                "aaaaaaaaaaa4", arn.format("ap-northeast-1"), arn.format("ap-northeast-3"), type="APPLICATION"
            ),
        ),
    )
    catalogue = models.catalogue(identity)
    found = {model.arn[-12:]: model for model in catalogue.models if model.kind == "application_profile"}
    scopes = {name: (model.scope, model.geography) for name, model in found.items()}
    assert scopes == {
        "aaaaaaaaaaa1": ("global", ""),
        "aaaaaaaaaaa2": ("geo", "us"),
        "aaaaaaaaaaa3": ("in_region", ""),
        "aaaaaaaaaaa4": ("geo", "jp"),
    }
    everywhere = found["aaaaaaaaaaa1"]
    assert everywhere.model_id == f"{ACCOUNT}:application-inference-profile/aaaaaaaaaaa1"
    assert everywhere.group == "Application profiles"
    assert everywhere.label == "Profile aaaaaaaaaaa1 · Nova 2 Lite"
    assert everywhere.price == pricing.price_of(identity, f"global.{nova}")
    assert models.price_of(identity, everywhere.model_id) == everywhere.price
    assert models.resolve(identity, "aaaaaaaaaaa2") is found["aaaaaaaaaaa2"], "the short id works too"


def test_own_models_each_say_what_serves_them(serve: Serve, identity: Identity) -> None:
    nova = "amazon.nova-lite-v1:0:300k"
    custom = f"{ACCOUNT}:custom-model/{nova}"
    serve(
        ListFoundationModels={
            "modelSummaries": [foundation(nova, "Nova Lite", inferenceTypesSupported=["PROVISIONED"])]
        },
        ListCustomModels={
            "modelSummaries": [
                {
                    "modelArn": f"{custom}/aaaaaaaaaaa{n}",
                    "modelName": f"tuned-{n}",
                    "baseModelArn": f"{MODEL}/{nova}",
                }
                for n in (1, 2, 3)
            ]
        },
        ListCustomModelDeployments={
            "modelDeploymentSummaries": [
                {
                    "customModelDeploymentArn": f"{ACCOUNT}:custom-model-deployment/bbbbbbbbbbb{n}",
                    "customModelDeploymentName": f"deployed-{n}",
                    "modelArn": f"{custom}/aaaaaaaaaaa1",
                    "status": status,
                }
                for n, status in ((1, "Active"), (2, "Creating"))
            ]
        },
        ListProvisionedModelThroughputs={
            "provisionedModelSummaries": [
                {
                    "provisionedModelArn": f"{ACCOUNT}:provisioned-model/ccccccccccc1",
                    "provisionedModelName": "bought",
                    "modelArn": f"{custom}/aaaaaaaaaaa2",
                    "foundationModelArn": f"{MODEL}/{nova}",
                    "status": "InService",
                }
            ]
        },
        ListImportedModels={
            "modelSummaries": [
                {
                    "modelArn": f"{ACCOUNT}:imported-model/ddddddddddd{n}",
                    "modelName": f"mine-{n}",
                    "instructSupported": instruct,
                    "modelArchitecture": "llama",
                }
                for n, instruct in ((1, True), (2, False))
            ]
        },
        ListPromptRouters={
            "promptRouterSummaries": [
                {
                    "promptRouterArn": f"{ACCOUNT}:default-prompt-router/amazon.nova:1",
                    "promptRouterName": "Nova router",
                    "fallbackModel": {"modelArn": f"{MODEL}/{nova}"},
                    "status": "AVAILABLE",
                }
            ]
        },
    )
    catalogue = models.catalogue(identity)
    assert not catalogue.problems
    listed = {
        model.name: (model.group, model.callable, model.can_chat, model.base_model_id)
        for model in catalogue.models
    }
    no = "Not callable by this ID"
    assert listed == {
        "Nova Lite": (no, False, True, nova),
        "deployed-1": ("Custom", True, True, nova),
        "deployed-2": (no, False, True, nova),
        "tuned-3": (no, False, True, nova),
        "bought": ("Provisioned", True, True, nova),
        "mine-1": ("Imported", True, True, ""),
        "mine-2": ("Imported", True, False, ""),
        "Nova router": ("Prompt routers", True, True, nova),
    }
    found = {model.name: model for model in catalogue.models}
    assert all(found[name].price is None for name in ("deployed-1", "bought", "mine-1", "Nova router"))
    assert found["deployed-1"].label == "deployed-1 · Nova Lite"
    assert "Creating" in found["deployed-2"].why_not
    assert "Deploy it" in found["tuned-3"].why_not
    assert found["deployed-1"].capabilities.bounds["topK"].maximum == 128


def test_lifecycle_dates_show_and_an_ended_model_is_not_called(serve: Serve, identity: Identity) -> None:
    ended, ending = datetime.now(UTC) - timedelta(days=2), datetime.now(UTC) + timedelta(days=40)
    dates = {
        "status": "LEGACY",
        "startOfLifeTime": "2024-03-04T00:00:00Z",
        "legacyTime": "2026-01-12T00:00:00Z",
        "publicExtendedAccessTime": "2026-06-01T00:00:00Z",
    }
    serve(
        ListFoundationModels={
            "modelSummaries": [
                foundation(
                    "anthropic.claude-3-haiku-20240307-v1:0",
                    "Haiku",
                    modelLifecycle={**dates, "endOfLifeTime": ending.isoformat()},
                ),
                foundation(
                    "anthropic.claude-v2", "Old", modelLifecycle={**dates, "endOfLifeTime": ended.isoformat()}
                ),
            ]
        },
        ListInferenceProfiles=profiles(profile("us.anthropic.claude-v2", f"{MODEL}/anthropic.claude-v2")),
    )
    found = by_id(models.catalogue(identity))
    legacy = found["anthropic.claude-3-haiku-20240307-v1:0"]
    assert legacy.callable
    assert legacy.lifecycle == "LEGACY"
    assert (legacy.legacy_since, legacy.extended_access_from) == (date(2026, 1, 12), date(2026, 6, 1))
    assert legacy.end_of_life == ending.date()
    assert legacy.label == f"Haiku · legacy, ends {ending:%d %b %Y}"
    for model_id in ("anthropic.claude-v2", "us.anthropic.claude-v2"):
        assert not found[model_id].callable
        assert found[model_id].why_not.startswith("AWS ended this model on")


def test_models_that_do_not_chat_are_kept_apart(serve: Serve, identity: Identity) -> None:
    serve(
        ListFoundationModels={
            "modelSummaries": [
                foundation("amazon.titan-embed-text-v2:0", outputModalities=["EMBEDDING"]),
                foundation(
                    "amazon.nova-canvas-v1:0", outputModalities=["IMAGE"], inputModalities=["TEXT", "IMAGE"]
                ),
                foundation(
                    "amazon.nova-sonic-v1:0", inputModalities=["SPEECH"], outputModalities=["SPEECH", "TEXT"]
                ),
                foundation("cohere.rerank-v3-5:0"),
                foundation("somebody.painter-v1", outputModalities=["VIDEO"]),
                foundation("somebody.writer-v1"),
            ]
        }
    )
    catalogue = models.catalogue(identity)
    assert len(catalogue.models) == 6
    assert [model.model_id for model in catalogue.models if model.can_chat] == ["somebody.writer-v1"]


def test_unknown_and_missing_members_do_no_harm(serve: Serve, identity: Identity) -> None:
    """AWS adds members and values without notice; one row that cannot be read costs that row alone."""
    serve(
        ListFoundationModels={
            "modelSummaries": [
                {"modelId": "amazon.nova-micro-v1:0"},
                {"modelName": "without an id"},
                foundation(
                    "amazon.nova-pro-v1:0",
                    inputModalities=None,
                    modelLifecycle=None,
                    tasteSupported=["SWEET"],
                ),
                foundation(
                    "a.new-kind-v1",
                    inferenceTypesSupported=["TELEPATHY"],
                    modelLifecycle={"status": "DREAMING"},
                ),
                foundation("meta.llama2-70b-v1", inferenceTypesSupported=[]),
            ],
            "newMember": {"a": 1},
        },
        ListInferenceProfiles=profiles(
            {"type": "SYSTEM_DEFINED"},
            profile("us.amazon.nova-micro-v1:0", status="RESTING"),
            profile("odd", "arn:aws:bedrock:us-east-1::hologram/x"),
        ),
        ListPromptRouters={"promptRouterSummaries": [{"promptRouterName": "r"}]},
    )
    catalogue = models.catalogue(identity)
    assert not catalogue.problems
    found = by_id(catalogue)
    assert set(found) == {
        "amazon.nova-micro-v1:0",
        "amazon.nova-pro-v1:0",
        "a.new-kind-v1",
        "meta.llama2-70b-v1",
        "us.amazon.nova-micro-v1:0",
        "odd",
    }
    assert found["amazon.nova-micro-v1:0"].callable
    assert found["amazon.nova-micro-v1:0"].can_chat
    assert found["a.new-kind-v1"].lifecycle == "DREAMING"
    assert "us-east-1" in found["meta.llama2-70b-v1"].why_not
    assert "RESTING" in found["us.amazon.nova-micro-v1:0"].why_not
    assert found["odd"].base_model_id == ""
    assert all(model.search_text and model.label and model.group for model in catalogue.models)


def test_an_empty_account_is_an_empty_catalogue(serve: Serve, identity: Identity) -> None:
    serve()
    assert models.catalogue(identity) == Catalogue(())
    assert models.defaults(models.catalogue(identity), 2) == ()


def test_one_failing_list_is_a_problem_and_the_rest_stands(serve: Serve, identity: Identity) -> None:
    bedrock = serve(ListFoundationModels={"modelSummaries": [foundation("amazon.nova-lite-v1:0")]})
    bedrock.fail("ListImportedModels", "AccessDeniedException")
    catalogue = models.catalogue(identity)
    assert [model.model_id for model in catalogue.models] == ["amazon.nova-lite-v1:0"]
    assert [problem.code for problem in catalogue.problems] == ["AccessDeniedException"]


def test_the_same_failure_of_every_list_is_told_once(serve: Serve, identity: Identity) -> None:
    bedrock = serve()
    for operation in bedrock.client.meta.method_to_api_mapping.values():
        bedrock.fail(operation, "ExpiredTokenException")
    catalogue = models.catalogue(identity)
    assert [problem.code for problem in catalogue.problems] == ["ExpiredTokenException"]
    assert catalogue.models == ()


def test_an_operation_the_endpoint_does_not_have_is_no_problem(serve: Serve, identity: Identity) -> None:
    bedrock = serve(ListFoundationModels={"modelSummaries": [foundation("amazon.nova-lite-v1:0")]})
    bedrock.fail("ListPromptRouters", "UnknownOperationException", 404)
    assert not models.catalogue(identity).problems


def test_pages_before_a_failure_count(serve: Serve, identity: Identity) -> None:
    def pages(query: dict[str, str]) -> dict[str, Any]:
        if query["type"] == "APPLICATION":
            return {"inferenceProfileSummaries": []}
        if "nextToken" in query:
            return {"status": 400, "code": "ValidationException", "message": "no"}
        return {"inferenceProfileSummaries": [profile("us.amazon.nova-lite-v1:0")], "nextToken": "2"}

    serve(ListInferenceProfiles=pages)
    catalogue = models.catalogue(identity)
    assert [model.model_id for model in catalogue.models] == ["us.amazon.nova-lite-v1:0"]
    assert [problem.code for problem in catalogue.problems] == ["ValidationException"]


def test_a_client_that_cannot_be_made_is_a_problem(
    monkeypatch: pytest.MonkeyPatch, identity: Identity
) -> None:
    def no_client(service: str, identity: Identity) -> Any:
        raise clients.LocalEndpointError("not there")

    monkeypatch.setattr(clients, "client", no_client)
    catalogue = models.catalogue(identity)
    assert catalogue.models == ()
    assert len(catalogue.problems) == 1


def test_thousands_of_profiles_over_many_pages(serve: Serve, identity: Identity) -> None:
    nova = "amazon.nova-lite-v1:0"

    def pages(query: dict[str, str]) -> dict[str, Any]:
        start = int(query.get("nextToken", 0))
        if query["type"] == "SYSTEM_DEFINED":
            return {"inferenceProfileSummaries": []}
        assert query["maxResults"] == "1000"
        rows = [
            profile(f"{n:012d}", f"{MODEL}/{nova}", type="APPLICATION") for n in range(start, start + 1000)
        ]
        return {
            "inferenceProfileSummaries": rows,
            **({"nextToken": str(start + 1000)} if start < 4000 else {}),
        }

    bedrock = serve(ListFoundationModels={"modelSummaries": [foundation(nova)]}, ListInferenceProfiles=pages)
    catalogue = models.catalogue(identity)
    assert len(catalogue.models) == 5001
    assert bedrock.calls["ListInferenceProfiles"] == 6
    assert [model.arn[-4:] for model in models.find(catalogue, "profile 000000004321")] == ["4321"]


def test_a_catalogue_is_listed_once_and_never_shared(serve: Serve) -> None:
    """Sessions of one identity share a listing, also when they ask at once; another identity has its own."""
    bedrock = serve(ListFoundationModels={"modelSummaries": [foundation("amazon.nova-lite-v1:0")]})
    first, second = (Identity("aws", name, "us-east-1", next(_epochs)) for name in ("one", "two"))
    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(models.catalogue, [first] * 8))
    assert bedrock.calls["ListFoundationModels"] == 1
    assert all(answer is answers[0] for answer in answers)
    assert models.catalogue(second) is not answers[0]
    assert bedrock.calls["ListFoundationModels"] == 2
    renewed = Identity("aws", "one", "us-east-1", first.epoch + 1_000_000)
    models.catalogue(renewed)
    assert bedrock.calls["ListFoundationModels"] == 3


def test_refresh_lists_anew(serve: Serve, identity: Identity) -> None:
    bedrock = serve()
    assert models.catalogue(identity).models == ()
    bedrock.answers["ListFoundationModels"] = {"modelSummaries": [foundation("amazon.nova-lite-v1:0")]}
    assert models.catalogue(identity).models == ()
    assert len(models.refresh(identity).models) == 1
    assert len(models.catalogue(identity).models) == 1


@pytest.mark.parametrize("backend", ["aws", "local"])
def test_a_listing_with_problems_is_kept_for_a_short_time(
    serve: Serve, monkeypatch: pytest.MonkeyPatch, backend: Literal["aws", "local"]
) -> None:
    """Not for each click anew, and not as long as a good one: the local endpoint comes back in seconds."""
    identity = Identity(backend, None, "us-east-1", next(_epochs))
    bedrock = serve()
    bedrock.fail("ListFoundationModels", "InternalServerException", 400)
    now = 1000.0
    monkeypatch.setattr("services.models.time", SimpleNamespace(monotonic=lambda: now))
    assert models.catalogue(identity).problems
    bedrock.answers = {"ListFoundationModels": {"modelSummaries": [foundation("amazon.nova-lite-v1:0")]}}
    now += models.PROBLEM_TTL_S[backend] - 1
    assert models.catalogue(identity).problems
    now += 2
    catalogue = models.catalogue(identity)
    assert not catalogue.problems
    assert len(catalogue.models) == 1
    assert bedrock.calls["ListFoundationModels"] == 2


def test_nothing_costs_on_the_local_endpoint(serve: Serve) -> None:
    """Neither its own models, nor what carries the name of a dear one."""
    identity = Identity("local", "localbedrock", "us-east-1", next(_epochs))
    names = ("local.smollm2-135m-instruct-v1:0", "anthropic.claude-3-opus-20240229-v1:0", "local.openai.big")
    serve(ListFoundationModels={"modelSummaries": [foundation(name) for name in names]})
    prices = {model.model_id: model.price for model in models.catalogue(identity).models}
    assert prices == {names[0]: pricing.LOCAL_PRICE, names[1]: pricing.LOCAL_PRICE, names[2]: None}


def test_the_lists_are_fetched_at_the_same_time(serve: Serve, identity: Identity) -> None:
    """Each of the lists waits until all of them have been asked for."""
    together = threading.Barrier(8, timeout=20)

    def wait(query: dict[str, str]) -> dict[str, Any]:
        together.wait()
        return {}

    lists = [operation for operation, _, _ in model_lists._LISTS.values()]
    names = {"".join(word.capitalize() for word in operation.split("_")) for operation in lists}
    assert len(lists) == 8
    serve(**dict.fromkeys(names, wait))
    assert not models.catalogue(identity).problems


def test_new_prices_show_at_once(serve: Serve, identity: Identity, price_file: Path) -> None:
    serve(ListFoundationModels={"modelSummaries": [foundation("amazon.nova-lite-v1:0")]})
    assert models.catalogue(identity).models[0].price == pricing.price_of(identity, "amazon.nova-lite-v1:0")
    price_file.write_text(
        '[models."amazon.nova-lite-v1:0"]\ninput_usd_per_mtok = 7\noutput_usd_per_mtok = 8\n'
    )
    price = models.catalogue(identity).models[0].price
    assert price is not None
    assert price.input_usd_per_mtok == 7
    price_file.write_text("broken")
    catalogue = models.catalogue(identity)
    assert catalogue.models[0].price is None
    assert [problem.code for problem in catalogue.problems] == ["PriceFileError"]
    assert str(price_file) in catalogue.problems[0].cause


def test_models_that_look_alike_are_told_apart(serve: Serve, identity: Identity) -> None:
    serve(
        ListFoundationModels={
            "modelSummaries": [
                foundation("ai21.j2-mid", "Jurassic-2 Mid"),
                foundation("ai21.j2-mid-v1", "Jurassic-2 Mid"),
            ]
        }
    )
    labels = [model.label for model in models.catalogue(identity).models]
    assert labels == ["Jurassic-2 Mid (ai21.j2-mid)", "Jurassic-2 Mid (ai21.j2-mid-v1)"]


# ---- resolve ---------------------------------------------------------------------------------------------


def test_a_pasted_id_or_arn_of_a_listed_model_is_that_model(serve: Serve, identity: Identity) -> None:
    nova = "amazon.nova-lite-v1:0"
    serve(
        ListFoundationModels={"modelSummaries": [foundation(nova)]},
        ListInferenceProfiles=profiles(profile(f"us.{nova}", f"{MODEL}/{nova}")),
    )
    found = by_id(models.catalogue(identity))
    assert models.resolve(identity, f"  {nova} ") is found[nova]
    assert models.resolve(identity, f"{MODEL}/{nova}") is found[nova]
    assert models.resolve(identity, f"{ACCOUNT}:inference-profile/us.{nova}") is found[f"us.{nova}"]


def test_an_unlisted_id_is_a_usable_model(serve: Serve, identity: Identity) -> None:
    """A model newer than the region's list, or than this program: nothing is known, nothing is blocked."""
    serve()
    model = models.resolve(identity, "somebody.new-model-v3:0")
    assert model.callable
    assert model.can_chat
    assert (model.kind, model.access, model.price, model.name) == (
        "foundation",
        "unknown",
        None,
        "somebody.new-model-v3:0",
    )
    haiku = models.resolve(identity, "eu.anthropic.claude-haiku-4-5-20251001-v1:0")
    assert (haiku.kind, haiku.scope, haiku.geography) == ("inference_profile", "geo", "eu")
    assert haiku.base_model_id == "anthropic.claude-haiku-4-5-20251001-v1:0"
    assert haiku.capabilities.family == "claude"
    assert haiku.price is not None
    assert haiku.group == "Inference profiles – EU geo"


def test_an_unlisted_profile_of_a_listed_model_inherits_from_it(serve: Serve, identity: Identity) -> None:
    nova = "amazon.nova-lite-v1:0"
    serve(
        ListFoundationModels={
            "modelSummaries": [foundation(nova, "Nova Lite", inputModalities=["TEXT", "IMAGE"])]
        }
    )
    model = models.resolve(identity, f"jp.{nova}")
    assert model.callable
    assert model.provider == "Amazon"
    assert model.base_name == "Nova Lite"
    assert "IMAGE" in model.capabilities.input_modalities


def test_an_arn_that_names_no_model_is_looked_up_once(serve: Serve, identity: Identity) -> None:
    nova = "amazon.nova-lite-v1:0"
    arn = f"{ACCOUNT}:application-inference-profile/06vsfs68yb4g"
    bedrock = serve(
        ListFoundationModels={"modelSummaries": [foundation(nova, "Nova Lite")]},
        GetInferenceProfile=profile("06vsfs68yb4g", f"{MODEL}/{nova}", type="APPLICATION"),
        GetProvisionedModelThroughput={
            "provisionedModelArn": f"{ACCOUNT}:provisioned-model/abcdef012345",
            "provisionedModelName": "bought",
            "foundationModelArn": f"{MODEL}/{nova}",
            "status": "Creating",
        },
        GetCustomModelDeployment={
            "customModelDeploymentArn": f"{ACCOUNT}:custom-model-deployment/abcdef012345",
            "modelDeploymentName": "deployed",
            "modelArn": f"{ACCOUNT}:custom-model/{nova}/aaaaaaaaaaa1",
            "status": "Active",
        },
        GetImportedModel={"modelArn": f"{ACCOUNT}:imported-model/abcdef012345", "modelName": "mine"},
        GetPromptRouter={
            "promptRouterArn": f"{ACCOUNT}:prompt-router/abcdef012345",
            "promptRouterName": "router",
            "fallbackModel": {"modelArn": f"{MODEL}/{nova}"},
            "status": "AVAILABLE",
        },
    )
    model = models.resolve(identity, arn)
    assert (model.kind, model.base_model_id, model.model_id) == ("application_profile", nova, arn)
    assert model.price == pricing.price_of(identity, nova)
    assert models.resolve(identity, arn) is model
    assert bedrock.calls["GetInferenceProfile"] == 1
    bought = models.resolve(identity, f"{ACCOUNT}:provisioned-model/abcdef012345")
    assert (bought.name, bought.base_model_id, bought.callable) == ("bought", nova, False)
    deployed = models.resolve(identity, f"{ACCOUNT}:custom-model-deployment/abcdef012345")
    assert (deployed.name, deployed.base_model_id) == ("deployed", nova)
    assert models.resolve(identity, f"{ACCOUNT}:imported-model/abcdef012345").name == "mine"
    assert models.resolve(identity, f"{ACCOUNT}:prompt-router/abcdef012345").base_model_id == nova


def test_an_arn_that_cannot_be_looked_up_is_usable_and_says_so(serve: Serve, identity: Identity) -> None:
    bedrock = serve()
    bedrock.fail("GetInferenceProfile", "AccessDeniedException")
    arn = f"{ACCOUNT}:application-inference-profile/06vsfs68yb4g"
    model = models.resolve(identity, arn)
    assert (model.model_id, model.callable, model.access) == (arn, True, "unknown")
    assert model.access_reason
    assert model.can_chat
    bedrock.answers["GetInferenceProfile"] = profile(
        "06vsfs68yb4g", f"{MODEL}/amazon.nova-lite-v1:0", type="APPLICATION"
    )
    assert models.resolve(identity, arn).base_model_id == "amazon.nova-lite-v1:0", "a failure is not kept"


def test_an_arn_of_another_region_says_so_before_the_call_fails(serve: Serve, identity: Identity) -> None:
    bedrock = serve(ListFoundationModels={"modelSummaries": [foundation("amazon.nova-lite-v1:0")]})
    for resource in (
        ":foundation-model/amazon.nova-lite-v1:0",
        "123456789012:provisioned-model/abcdef012345",
    ):
        model = models.resolve(identity, f"arn:aws:bedrock:eu-west-1:{resource}")
        assert not model.callable
        assert "eu-west-1" in model.why_not
        assert "us-east-1" in model.why_not
    assert not bedrock.calls["GetProvisionedModelThroughput"]


@pytest.mark.parametrize("text", ["", "hello", "arn:aws:s3:::bucket", "Claude 3"])
def test_nonsense_is_one_sentence(serve: Serve, identity: Identity, text: str) -> None:
    serve()
    with pytest.raises(UnknownModelId) as refused:
        models.resolve(identity, text)
    assert isinstance(refused.value, ValueError)
    assert str(refused.value).endswith(".")


# ---- availability ----------------------------------------------------------------------------------------

AVAILABLE = {
    "modelId": "amazon.nova-lite-v1:0",
    "agreementAvailability": {"status": "AVAILABLE"},
    "authorizationStatus": "AUTHORIZED",
    "entitlementAvailability": "AVAILABLE",
    "regionAvailability": "AVAILABLE",
}


@pytest.mark.parametrize(
    ("change", "access", "word"),
    [
        ({}, "available", ""),
        ({"regionAvailability": "NOT_AVAILABLE"}, "not_available", "us-east-1"),
        ({"authorizationStatus": "NOT_AUTHORIZED"}, "not_available", "authorised"),
        (
            {"agreementAvailability": {"status": "NOT_AVAILABLE"}},
            "not_available",
            "aws-marketplace:Subscribe",
        ),
        (
            {"agreementAvailability": {"status": "ERROR", "errorMessage": "card declined"}},
            "not_available",
            "card declined",
        ),
        ({"agreementAvailability": {"status": "PENDING"}}, "not_available", "few minutes"),
        ({"entitlementAvailability": "NOT_AVAILABLE"}, "not_available", "console"),
    ],
)
def test_availability_says_why_not(
    serve: Serve, identity: Identity, change: dict[str, Any], access: str, word: str
) -> None:
    serve(GetFoundationModelAvailability={**AVAILABLE, **change})
    answer = models.availability(identity, "us.amazon.nova-lite-v1:0")
    assert answer[0] == access
    assert word in answer[1]


def test_availability_is_asked_once_and_of_the_base_model(serve: Serve, identity: Identity) -> None:
    urls = []

    def answer(query: dict[str, str]) -> dict[str, Any]:
        urls.append(query["url"])
        return AVAILABLE

    serve(GetFoundationModelAvailability=answer)
    for model_id in ("us.amazon.nova-lite-v1:0", "amazon.nova-lite-v1:0", "eu.amazon.nova-lite-v1:0"):
        assert models.availability(identity, model_id) == ("available", "")
    assert len(urls) == 1
    assert urls[0].endswith("/foundation-model-availability/amazon.nova-lite-v1%3A0")


def test_availability_that_cannot_be_asked_is_unknown_and_asked_again(
    serve: Serve, identity: Identity
) -> None:
    bedrock = serve()
    bedrock.fail("GetFoundationModelAvailability", "AccessDeniedException")
    access, reason = models.availability(identity, "amazon.nova-lite-v1:0")
    assert access == "unknown"
    assert reason
    bedrock.answers["GetFoundationModelAvailability"] = AVAILABLE
    assert models.availability(identity, "amazon.nova-lite-v1:0")[0] == "available"
    assert models.availability(identity, "nonsense") == ("unknown", "")


# ---- search and first choices ----------------------------------------------------------------------------


def test_search_finds_by_name_provider_id_and_group(serve: Serve, identity: Identity) -> None:
    haiku = "anthropic.claude-haiku-4-5-20251001-v1:0"
    serve(
        ListFoundationModels={
            "modelSummaries": [
                foundation(haiku, "Claude Haiku 4.5"),
                foundation("amazon.nova-lite-v1:0", "Nova Lite"),
            ]
        },
        ListInferenceProfiles=profiles(profile(f"eu.{haiku}", f"{MODEL}/{haiku}")),
    )
    catalogue = models.catalogue(identity)
    assert [model.model_id for model in models.find(catalogue, "NOVA lite")] == ["amazon.nova-lite-v1:0"]
    assert [model.model_id for model in models.find(catalogue, "haiku eu geo")] == [f"eu.{haiku}"]
    assert len(models.find(catalogue, "claude haiku")) == 2
    assert models.find(catalogue, "") == catalogue.models
    assert models.find(catalogue, "no such thing") == ()


def test_first_choices_are_callable_cheap_and_of_distinct_providers(serve: Serve, identity: Identity) -> None:
    past = {"status": "LEGACY"}
    serve(
        ListFoundationModels={
            "modelSummaries": [
                foundation("anthropic.claude-opus-4-1-20250805-v1:0"),
                foundation("anthropic.claude-3-haiku-20240307-v1:0", modelLifecycle=past),
                foundation("anthropic.claude-haiku-4-5-20251001-v1:0"),
                foundation("amazon.nova-pro-v1:0"),
                foundation("amazon.nova-micro-v1:0", inferenceTypesSupported=["INFERENCE_PROFILE"]),
                foundation("amazon.nova-lite-v1:0"),
                foundation("amazon.titan-embed-text-v2:0", outputModalities=["EMBEDDING"]),
                foundation("ai21.j2-mid-v1", responseStreamingSupported=False),
                foundation("somebody.unpriced-v1"),
            ]
        }
    )
    catalogue = models.catalogue(identity)
    assert [model.model_id for model in models.defaults(catalogue, 4)] == [
        "amazon.nova-lite-v1:0",
        "anthropic.claude-haiku-4-5-20251001-v1:0",
        "somebody.unpriced-v1",
        "amazon.nova-pro-v1:0",
    ]
    assert len(models.defaults(catalogue, 1)) == 1
    assert len(models.defaults(catalogue, 100)) == 5
    assert models.defaults(catalogue, 0) == ()


def test_the_local_endpoints_own_models_come_first(serve: Serve) -> None:
    identity = Identity("local", "localbedrock", "us-east-1", next(_epochs))
    serve(
        ListFoundationModels={
            "modelSummaries": [
                foundation("ai21.jamba-1-5-mini-v1:0"),
                foundation("amazon.nova-lite-v1:0", inputModalities=["TEXT", "IMAGE"]),
                foundation("local.smollm2-135m-instruct-v1:0"),
            ]
        }
    )
    catalogue = models.catalogue(identity)
    chosen = [model.model_id for model in models.defaults(catalogue, 2)]
    assert chosen == ["local.smollm2-135m-instruct-v1:0", "amazon.nova-lite-v1:0"]
    assert by_id(catalogue)["amazon.nova-lite-v1:0"].capabilities.input_modalities == {"TEXT", "IMAGE"}


# ---- recorded lists --------------------------------------------------------------------------------------


@pytest.mark.recordings
def test_a_recorded_list_of_an_account(serve: Serve, identity: Identity, recordings: Path) -> None:
    summaries = json.loads((recordings / "battleground" / "list-foundation-model-response.json").read_text())
    serve(ListFoundationModels={"modelSummaries": summaries})
    catalogue = models.catalogue(identity)
    assert not catalogue.problems
    assert len(catalogue.models) == len(summaries)
    found = by_id(catalogue)
    assert found["anthropic.claude-3-haiku-20240307-v1:0"].can_chat
    assert not found["cohere.embed-english-v3"].can_chat
    assert not found["stability.stable-diffusion-xl-v1"].can_chat
    assert found["anthropic.claude-v2:1:200k"].why_not == "It takes provisioned throughput."
    labels = [(model.group, model.label) for model in catalogue.models]
    assert len(set(labels)) == len(labels)
    assert all(model.capabilities.converse is not None for model in catalogue.models if model.can_chat)


@pytest.mark.recordings
def test_recorded_application_profiles(serve: Serve, identity: Identity, recordings: Path) -> None:
    found = sorted(
        (recordings / "cloud-custodian" / "placebo").glob("*/bedrock.ListInferenceProfiles_1.json")
    )
    assert found
    rows = [
        row for file in found for row in json.loads(file.read_text())["data"]["inferenceProfileSummaries"]
    ]
    rows = [{name: value for name, value in row.items() if not name.endswith("At")} for row in rows]
    serve(ListInferenceProfiles=profiles(*rows))
    catalogue = models.catalogue(identity)
    assert {model.arn for model in catalogue.models} == {row["inferenceProfileArn"] for row in rows}
    for model in catalogue.models:
        assert model.kind == "application_profile"
        assert model.base_model_id.startswith(("amazon.nova", "anthropic.claude"))
        assert model.price is not None


@pytest.mark.recordings
def test_every_id_that_was_seen_in_real_lists_is_read(recordings: Path) -> None:
    """Ids of three regions: each is well-formed here, and the chat models among them have a family."""
    names = {
        line.split()[-1]
        for file in (recordings / "quotas").glob("fm-list-*.yml")
        for line in file.read_text().splitlines()
        if line.strip().startswith("model_id:")
    }
    assert len(names) > 100
    assert all(model_ids.parse(name).base == name for name in names)
    known = [name for name in names if capabilities_of(name).family != "unknown"]
    assert len(known) > 0.8 * len(names)


@pytest.mark.recordings
def test_joining_a_recorded_list_is_quick(recordings: Path, identity: Identity) -> None:
    """Under 50 ms of processor time from cold caches, the price list once loaded."""
    summaries = json.loads((recordings / "battleground" / "list-foundation-model-response.json").read_text())
    pricing.warm_up()
    spent = []
    for _ in range(3):
        capabilities_of.cache_clear()
        pricing._list_price.cache_clear()
        pricing._model_info.cache_clear()
        started = time.process_time()
        models.join(identity, {"foundation": summaries})
        spent.append(time.process_time() - started)
    assert min(spent) < 0.05
