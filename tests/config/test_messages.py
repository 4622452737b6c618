"""The translation tool sees every string and every fault."""

import pytest
from babel.messages.catalog import Catalog
from django.utils import translation

from config import messages

TEMPLATE = """{% load i18n %}
   {% translate "It's here" %}
 {% blocktranslate count n=n %}{{ n }} bill{% plural %}{{ n }} bills{% endblocktranslate %}
it's (broken [ "quotes
{% blocktranslate trimmed with who=name context "letter" %}
   Dear {{ who }},
   100% yours
{% endblocktranslate %}
"""
PYTHON = (
    'a = _("one")\nb = ngettext("%(n)d day", "%(n)d days", n)\nc = pgettext_lazy("state", "open")\nd = _(a)\n'
)


@pytest.fixture
def house(tmp_path, monkeypatch):
    monkeypatch.setattr(messages, "ROOT", tmp_path)
    monkeypatch.setattr(messages, "PYTHON_FOLDERS", ["app"])
    (tmp_path / "app" / "migrations").mkdir(parents=True)
    (tmp_path / "templates").mkdir()
    (tmp_path / "app" / "views.py").write_text(PYTHON)
    (tmp_path / "app" / "migrations" / "0001.py").write_text('_("not me")')
    (tmp_path / "templates" / "page.html").write_text(TEMPLATE)
    return tmp_path


def test_strings_of_python_and_templates_are_found(house):
    assert {(message.id, message.context) for message in messages.extract() if message.id} == {
        ("one", None),
        (("%(n)d day", "%(n)d days"), None),
        ("open", "state"),
        ("It's here", None),
        (("%(n)s bill", "%(n)s bills"), None),
        ("Dear %(who)s, 100%% yours", "letter"),
    }


def write(text):
    path = messages.path_of("zh_Hans")
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text('msgid ""\nmsgstr "Content-Type: text/plain; charset=utf-8\\n"\n' + text)


def test_missing_empty_fuzzy_stale_and_wrong_translations_are_told(house):
    write(
        'msgid "one"\nmsgstr ""\n\nmsgid "gone"\nmsgstr "没了"\n\n'
        '#, fuzzy\nmsgid "It\'s here"\nmsgstr "在这里"\n\n'
        '#, python-format\nmsgctxt "letter"\nmsgid "Dear %(who)s, 100%% yours"\nmsgstr "亲爱的%(whom)s"\n'
    )
    told = "\n".join(messages.check())
    assert "not translated: 'one'" in told
    assert 'fuzzy: "It\'s here"' in told
    assert "no longer used: 'gone'" in told
    assert "unknown named placeholder" in told
    assert "not in the catalogue: 'open'" in told


def test_update_keeps_translations_takes_drafts_and_leaves_nothing_to_tell(house, tmp_path):
    messages.update()
    draft = tmp_path / "draft.po"
    catalog = Catalog(locale="zh_Hans")
    for message in messages.extract():
        if message.id:
            catalog.add(message.id, "译" if isinstance(message.id, str) else ("译",), context=message.context)
    catalog.add("Dear %(who)s, 100%% yours", "%(who)s您好，100%%", context="letter")
    catalog.add(("%(n)s bill", "%(n)s bills"), ("%(n)s 张账单",))
    catalog.add(("%(n)d day", "%(n)d days"), ("%(n)d 天",))
    with draft.open("wb") as file:
        messages.write_po(file, catalog)
    messages.update(str(draft))
    assert messages.check() == []
    first = messages.path_of("zh_Hans").read_text()
    messages.update()
    assert messages.path_of("zh_Hans").read_text() == first


def test_compiled_translations_are_what_django_reads(house, settings):
    write('msgid "one"\nmsgstr "一"\n')
    messages.compile_all()
    settings.LOCALE_PATHS = [house / "locale"]
    with translation.override("zh-hans"):
        assert translation.gettext("one") == "一"
