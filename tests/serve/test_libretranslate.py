"""LibreTranslate's clients work unchanged, and what they send is answered as they expect."""

from urllib.error import HTTPError
from urllib.parse import urlencode

import pytest
from libretranslatepy import LibreTranslateAPI

from heedful.serve.limits import ServerLimits
from heedful.serve.security import Access, load_keys
from tests.serve.serving import asking, listening, open_engine, run

FORM = {"content-type": "application/x-www-form-urlencoded"}


def test_every_method_of_the_client() -> None:
    with listening() as live:
        api = LibreTranslateAPI(f"http://127.0.0.1:{live.port}")
        assert api.translate("Hello", "en", "de") == "de:Hello"
        assert api.translate("你好\nHello", "auto", "en") == "en:你好\nen:Hello"
        assert api.translate("& = + % 猫", "en", "zh", timeout=5) == "zh:& = + % 猫"
        assert api.detect("Good morning, my friend")[0] == {"confidence": 100.0, "language": "en"}
        assert api.languages()[0] == {
            "code": "en",
            "name": "English",
            "targets": ["en", "de", "zh"],
        }
        public = {name for name in dir(api) if not name.startswith("_")}
        methods = {name for name in public if callable(getattr(api, name))}
        assert methods == {"translate", "detect", "languages"}, "no other method is untried"


def test_the_client_with_a_key(tmp_path) -> None:  # type: ignore[no-untyped-def]
    path = tmp_path / "keys"
    path.write_text("# one\nabcdefghijklmnop\n", "utf-8")
    with listening(access=Access(keys=load_keys(path))) as live:
        url = f"http://127.0.0.1:{live.port}/"
        assert LibreTranslateAPI(url, "abcdefghijklmnop").translate("a", "en", "de") == "de:a"
        for key in ("wrong", None):
            with pytest.raises(HTTPError) as caught:
                LibreTranslateAPI(url, key).translate("a", "en", "de")
            assert caught.value.code == 403
            caught.value.close()


def asked(what: object, **limits: int) -> tuple[int, object]:
    found: list[tuple[int, object]] = []

    async def scenario() -> None:
        async with asking(limits=ServerLimits(**limits)) as client:
            answer = await client.post("/translate", what)
            found.append((answer.status, answer.json))

    run(scenario)
    return found[0]


def ask(q: object, source: str = "en", target: str = "de", **more: object) -> dict[str, object]:
    return {"q": q, "source": source, "target": target} | more


def test_a_text_and_a_list_of_texts() -> None:
    assert asked(ask("a")) == (200, {"translatedText": "de:a"})
    assert asked(ask(["a", "b\n\n c", ""])) == (
        200,
        {"translatedText": ["de:a", "de:b\n\nde: c", ""]},
    )


def test_a_list_is_one_request() -> None:
    async def scenario() -> None:
        engine = open_engine()
        async with asking(engine, ServerLimits(queue=1)) as client:
            answer = await client.post("/translate", ask([str(n) for n in range(50)]))
            assert answer.json["translatedText"] == [f"de:{n}" for n in range(50)]

    run(scenario)


def test_alternatives() -> None:
    assert asked(ask("a", alternatives=2)) == (
        200,
        {"translatedText": "de:a", "alternatives": ["de:a (2)", "de:a (3)"]},
    )
    assert asked(ask(["a\nb"], alternatives="1"))[1] == {
        "translatedText": ["de:a\nde:b"],
        "alternatives": [["de:a (2)\nde:b (2)"]],
    }


def test_languages_that_are_detected() -> None:
    texts = ["Good morning, my dear friend, and how are you?", "Hallo"]
    status, told = asked(ask(texts, "auto", "en"))
    assert status == 200
    assert isinstance(told, dict)
    assert [one["language"] for one in told["detectedLanguage"]] == ["en", "en"]
    assert told["translatedText"] == texts, "it is in English already"
    _, told = asked(ask("Guten Morgen, mein Freund", "auto", "en"))
    assert told == {
        "translatedText": "en:Guten Morgen, mein Freund",
        "detectedLanguage": {"confidence": 100.0, "language": "de"},
    }


def test_codes_with_a_script() -> None:
    assert asked(ask("a", "en", "zh-Hans")) == (200, {"translatedText": "zh:a"})


def test_codes_that_are_listed_can_be_asked_for() -> None:
    async def scenario() -> None:
        ways = (("eng_Latn", "deu_Latn"), ("en", "pt-BR"), ("en", "pt"))
        async with asking(ways=ways) as client:
            listed = (await client.ask("GET", "/languages")).json
            for one in listed:
                for target in one["targets"][1:]:
                    answer = await client.post("/translate", ask("a", one["code"], target))
                    assert answer.json == {"translatedText": f"{target}:a"}
            answer = await client.post("/translate", ask("a", "EN", "pt-PT"))
            assert answer.json == {"translatedText": "pt:a"}

    run(scenario)


class Code(str):
    """A code that counts how often codes are looked for in tables."""

    looked = 0

    def __hash__(self) -> int:
        Code.looked += 1
        return str.__hash__(self)


def test_of_many_languages_a_request_does_not_go_through_all_pairs() -> None:
    codes = [Code(f"l{number}") for number in range(40)]
    ways = tuple((a, b) for a in codes for b in codes if a != b)

    async def scenario() -> None:
        async with asking(ways=ways) as client:
            await client.post("/translate", ask("a", "l1", "l2"))
            Code.looked = 0
            answer = await client.post("/translate", ask(["a\nb"] * 3, "l1", "l2"))
            assert answer.json == {"translatedText": ["l2:a\nl2:b"] * 3}
            assert Code.looked < len(ways) / 2

    run(scenario)


def test_html_keeps_its_tags() -> None:
    html = '<p class="x">Hi <!-- no -->there &amp; you</p><script>var a = 1</script>'
    status, told = asked(ask(html, format="html", alternatives=1))
    assert status == 200
    assert isinstance(told, dict)
    assert told["alternatives"] == []
    text = told["translatedText"]
    assert text.startswith('<p class="x">de:Hi')
    assert "&amp; you" in text
    assert text.endswith("</p><script>var a = 1</script>")


@pytest.mark.parametrize(
    ("what", "sentence"),
    [
        ({"source": "en", "target": "de"}, "Invalid request: missing q parameter"),
        (ask("a", source=""), "Invalid request: missing source parameter"),
        (ask("a", target=""), "Invalid request: missing target parameter"),
        (ask("a", "fr"), "fr is not supported"),
        (ask("a", "en", "fr"), "fr is not supported"),
        (ask("a", "de", "zh"), 'no model here translates from "de" to "zh"; loaded are: en to de'),
        (ask("a", format="pdf"), '"pdf" format is not supported'),
        (ask({"a": 1}), "Invalid request: q is neither a text nor a list of texts"),
        (ask(["a", 1]), "Invalid request: q is neither a text nor a list of texts"),
        (ask("a") | {"source": ["en"]}, "Invalid request: source is not a text"),
        (ask("a", alternatives="x"), "Invalid request: alternatives parameter is not a number"),
        (ask("a", alternatives="--5"), "Invalid request: alternatives parameter is not a number"),
        (ask("a", alternatives=8), "Invalid request: alternatives parameter must be <= 7"),
        (ask("a" * 11), "Invalid request: request (11) exceeds text limit (10)"),
        (ask(["a"] * 4), "Invalid request: request (4) exceeds text limit (3)"),
        (ask("\ud800"), "Invalid request: q holds half a surrogate pair"),
        ([], "Invalid request: the body is not a JSON object"),
    ],
    ids=str,
)
def test_refused_as_libretranslate_does(what: object, sentence: str) -> None:
    status, told = asked(what, characters=10, texts=3)
    assert status == 400
    assert isinstance(told, dict)
    assert told["error"].startswith(sentence)


def test_forms_in_both_encodings() -> None:
    async def scenario() -> None:
        async with asking() as client:
            fields = {"q": "a\r\nb", "source": "en", "target": "de"}
            body = urlencode(fields).encode()
            answer = await client.ask("POST", "/translate", body, FORM)
            assert answer.json == {"translatedText": "de:a\nde:b"}
            parts = [
                f'--x\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n{value}\r\n'
                for name, value in fields.items()
            ]
            multipart = ("".join(parts) + "--x--\r\n").encode()
            kind = {"content-type": "multipart/form-data; boundary=x"}
            answer = await client.ask("POST", "/translate", multipart, kind)
            assert answer.json == {"translatedText": "de:a\nde:b"}
            for bad in (multipart[:30], multipart.replace(b'name="q"', b'name="q"; filename="q"')):
                answer = await client.ask("POST", "/translate", bad, kind)
                assert answer.status == 400
            answer = await client.ask("POST", "/translate", b"&".join([b"q=1"] * 21), FORM)
            assert answer.status == 400
            assert answer.json["error"] == "Invalid request: the form has more than 20 fields"

    run(scenario)


def test_a_form_that_is_not_escaped_is_utf8_and_other_bytes_are_refused() -> None:
    async def scenario() -> None:
        async with asking() as client:
            typed = "q=猫+& target=de&q=猫+%26é&source=zh&target=en".encode()
            answer = await client.ask("POST", "/translate", typed, FORM)
            assert answer.json == {"translatedText": "en:猫 &é"}
            for body in (b"q=%ff%fe&source=en&target=de", b"q=\xff&source=en&target=de"):
                answer = await client.ask("POST", "/translate", body, FORM)
                assert answer.status == 400
                assert answer.json == {"error": "Invalid request: the form is not UTF-8"}

    run(scenario)


def test_forms_only_there_and_only_from_here() -> None:
    async def scenario() -> None:
        async with asking(access=Access(origins=("https://good.example",))) as client:
            body = urlencode({"q": "a", "source": "en", "target": "de"}).encode()
            for origin, status in (
                ("https://good.example", 200),
                ("http://localhost", 200),
                ("https://evil.example", 403),
                ("null", 403),
            ):
                answer = await client.ask("POST", "/translate", body, FORM | {"origin": origin})
                assert answer.status == status, origin
                shown = answer.headers.get("access-control-allow-origin")
                assert shown == (origin if status == 200 else None)
            for path in ("/v1/translate", "/v1/detect", "/v1/translate/stream", "/elsewhere"):
                assert (await client.ask("POST", path, body, FORM)).status == 415

    run(scenario)


def test_what_is_not_offered_is_refused_politely() -> None:
    async def scenario() -> None:
        async with asking() as client:
            answer = await client.ask("POST", "/suggest", b"q=a", FORM)
            told = {"error": "Suggestions are disabled on this server."}
            assert (answer.status, answer.json) == (403, told)
            settings = (await client.ask("GET", "/frontend/settings")).json
            assert settings == {
                "apiKeys": False,
                "charLimit": 5000,
                "filesTranslation": True,
                "frontendTimeout": 500,
                "keyRequired": False,
                "language": {
                    "source": {"code": "en", "name": "English"},
                    "target": {"code": "de", "name": "German"},
                },
                "suggestions": False,
                "supportedFilesFormat": [".md", ".markdown", ".html", ".htm", ".srt", ".txt"],
            }

    run(scenario)


def test_models_whose_languages_cannot_be_detected() -> None:
    async def scenario() -> None:
        async with asking(ways=(("", ""),)) as client:
            answer = await client.post("/translate", ask("a", "auto", "en"))
            assert answer.status == 400
            assert (await client.ask("GET", "/languages")).json == []
            assert (await client.post("/detect", {"q": "a"})).json == []
            assert (await client.ask("GET", "/frontend/settings")).status == 200

    run(scenario)
