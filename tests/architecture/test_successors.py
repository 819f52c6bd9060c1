"""What the documentation says about addresses is true."""

import re
from pathlib import Path

import pytest
from django.contrib import admin
from django.urls import Resolver404, resolve

TEXT = (Path(__file__).resolve().parents[2] / "docs" / "api" / "successors.md").read_text()
UUID = "0f0f0f0f-0000-4000-8000-000000000000"

#: Addresses of the right-hand column: what stands in code quotes and begins with a slash.
ADDRESSES = sorted(
    {
        match
        for line in TEXT.splitlines()
        if line.startswith("| ")
        for match in re.findall(r"`(?:[A-Z]+ )?(/[^`]*)`", line.split(" | ", 1)[1])
    }
)


def test_there_are_many():
    assert len(ADDRESSES) > 50


@pytest.mark.parametrize("address", ADDRESSES)
def test_each_address_leads_somewhere(address: str):
    path = address.replace("{id}", UUID).replace("{slug}", "ema-crossover")

    try:
        found = resolve(path)
    except Resolver404:
        pytest.fail(f"{address} leads nowhere")

    assert found.url_name or path == "/"
    if path.startswith("/admin/") and path != "/admin/":
        assert found.func is not admin.site.catch_all_view
