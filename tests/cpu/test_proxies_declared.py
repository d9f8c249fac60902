"""Proxies as the front end declares them are those that workers compute."""

from typing import get_args

from app.experiment import proxies as declared
from workers import proxies as computed
from workers.proxies.definition import Need


def test_every_proxy_is_declared_as_it_is_computed() -> None:
    assert list(declared.PROXIES) == list(computed.PROXIES) == list(get_args(declared.ProxyName))
    for name, proxy in computed.PROXIES.items():
        said = declared.PROXIES[name]
        assert (said.name, said.formula, said.link, said.needs) == (name, proxy.formula, proxy.paper, proxy.needs)


def test_every_need_is_explained() -> None:
    assert set(declared.NEEDS) == set(get_args(declared.ProxyNeed)) == set(get_args(Need))


def test_papers_and_links_name_the_same_paper() -> None:
    for proxy in declared.PROXIES.values():
        assert proxy.paper.endswith(f"arXiv:{proxy.link.removeprefix('https://arxiv.org/abs/')}")
