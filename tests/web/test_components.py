"""The components give the markup that styles, scripts and screen readers rely on."""

from datetime import UTC, datetime
from decimal import Decimal
from types import SimpleNamespace

import pytest
from django import forms
from django.core.paginator import Paginator
from django.template import Context, Template, TemplateSyntaxError


def render(source: str, **context: object) -> str:
    """Return *source* rendered, with the components loaded and runs of space collapsed."""
    rendered = Template("{% load ui %}" + source).render(Context(context))
    return " ".join(rendered.split())


class TestNumbers:
    def test_a_loss_has_a_sign_and_a_direction(self):
        html = render('{% signed_money value "USDT" %}', value=Decimal("-12.5"))

        assert 'data-direction="loss"' in html
        assert "\N{MINUS SIGN}12.50" in html
        assert '<span class="unit">USDT</span>' in html

    def test_an_absent_amount_has_no_currency(self):
        assert "USDT" not in render('{% money value "USDT" %}', value=None)

    def test_a_unit_is_escaped(self):
        assert "<b>" not in render("{% quantity 1 unit %}", unit="<b>")


class TestInstant:
    AT = datetime(2026, 11, 22, 14, 5, 9, tzinfo=UTC)

    def test_it_is_shown_in_the_zone_of_the_reader(self):
        reader = SimpleNamespace(user=SimpleNamespace(time_zone="Asia/Tokyo"))

        html = render('{% instant at "seconds" %}', at=self.AT, request=reader)

        assert 'datetime="2026-11-22T14:05:09Z"' in html
        assert "22 Nov 2026, 23:05:09 JST" in html

    @pytest.mark.parametrize("zone", ["", "Nowhere/Land", None])
    def test_an_unknown_zone_is_utc(self, zone):
        reader = SimpleNamespace(user=SimpleNamespace(time_zone=zone))

        assert "14:05 UTC" in render("{% instant at %}", at=self.AT, request=reader)


class TestPieces:
    def test_a_known_status_has_a_tone_and_an_unknown_one_is_neutral(self):
        assert 'data-tone="warning"' in render('{% status_badge "UNKNOWN" %}')
        assert 'data-tone="neutral">Not seen before<' in render(
            '{% status_badge "NOT_SEEN_BEFORE" %}'
        )

    def test_a_sparkline_of_one_point_is_a_dash(self):
        assert "<svg" not in render("{% sparkline values %}", values=[1])

    def test_a_sparkline_says_what_it_shows_and_is_thinned(self):
        html = render("{% sparkline values %}", values=list(range(10_000)))

        assert 'aria-label="Trend: 0 to 9,999"' in html
        assert html.count(",") < 200
        assert "style" not in html

    def test_a_flat_sparkline_divides_by_nothing(self):
        assert 'data-direction="flat"' in render("{% sparkline values %}", values=[5, 5, None, 5])

    def test_a_chart_of_an_unknown_kind_is_a_bug(self):
        with pytest.raises(TemplateSyntaxError):
            render('{% chart "pie" source="/x" label="x" %}')

    def test_an_icon_is_decoration_unless_it_is_labelled(self):
        assert 'aria-hidden="true"' in render('{% icon "rocket" %}')
        assert 'aria-label="Live"' in render('{% icon "rocket" label="Live" %}')


class Order(forms.Form):
    """A form as pages have them."""

    symbol = forms.CharField(help_text="Such as BTC/USDT.")
    note = forms.CharField(required=False)


class TestField:
    def test_help_and_errors_are_tied_to_the_control(self):
        html = render("{% field form.symbol %}", form=Order(data={}))

        assert 'aria-describedby="id_symbol_helptext id_symbol_error"' in html
        assert 'aria-invalid="true"' in html
        assert 'id="id_symbol_helptext"' in html
        assert 'id="id_symbol_error"' in html
        assert '<label class="field-label" for="id_symbol">' in html

    def test_an_optional_field_says_so(self):
        assert "optional" in render("{% field form.note %}", form=Order())


class TestPagination:
    def test_it_keeps_the_other_parameters(self, rf):
        page = Paginator(list(range(100)), 10).page(2)

        html = render("{% pagination page %}", page=page, request=rf.get("/?status=DONE&page=2"))

        assert 'href="?status=DONE&amp;page=1"' in html
        assert 'href="?status=DONE&amp;page=3"' in html

    def test_a_single_page_needs_none(self, rf):
        page = Paginator([1], 10).page(1)

        assert render("{% pagination page %}", page=page, request=rf.get("/")) == ""


class TestBlocks:
    def test_confirming_is_a_form_with_its_token_and_works_without_javascript(self):
        html = render(
            '{% confirm_action "Stop" url="/stop" question="Stop it?" tone="danger" %}'
            '<input type="hidden" name="key" value="{{ key }}">{% endconfirm_action %}',
            key='"><script>',
            csrf_token="token-of-the-page",
        )

        assert 'method="post" action="/stop"' in html
        assert "token-of-the-page" in html
        assert "popovertarget=" in html
        assert "<script>" not in html

    def test_a_page_header_holds_its_actions(self):
        html = render(
            '{% page_header title %}<a href="/new">New</a>{% endpage_header %}', title="A<b"
        )

        assert "<h1>A&lt;b</h1>" in html
        assert '<a href="/new">New</a>' in html
