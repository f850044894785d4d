"""A real Prometheus over the files of deploy/prometheus, with short intervals, and what is asked of it."""

import json
import pathlib
import re
import time
import urllib.parse

from processes import Failure, Process, free_port, get, tool

# What a run without TLS, keys or refusals has no samples of.
EMPTY_WITHOUT = ("sluice_tls_handshakes_total", "sluice_key_requests_total", "sluice_rejections_total", "ALERTS",
                 'outcome!="ok"')


def seconds_for_minutes(text: str) -> str:
    """Rules in seconds where they speak of minutes, so that a check does not take an hour."""
    text = re.sub(r"(for|interval): \d+[smh]", lambda found: f"{found[1]}: 1s", text)
    return re.sub(r"\[\d+[mh]\]", "[10s]", text)


def prometheus(folder: pathlib.Path, source: pathlib.Path, targets: list[str]) -> Process:
    """Prometheus that scrapes these targets each second as the job `sluice`."""
    place = folder / "prometheus"
    place.mkdir()
    (place / "rules.yml").write_text(seconds_for_minutes((source / "rules.yml").read_text()))
    settings = (source / "prometheus.yml").read_text()
    settings = re.sub(r"targets: \[sluice-1.*\]", f"targets: {json.dumps(targets)}", settings)
    settings = re.sub(r"(scrape|evaluation)_interval: \d+s", r"\1_interval: 1s", settings)
    settings = re.sub(r"scrape_timeout: \d+s", "scrape_timeout: 1s", settings)
    (place / "prometheus.yml").write_text(settings)
    port = free_port()
    command = [tool("prometheus"), f"--config.file={place}/prometheus.yml", f"--storage.tsdb.path={place}/data",
               f"--web.listen-address=127.0.0.1:{port}", "--log.level=warn"]
    found = Process(command, place / "prometheus.log", lambda: get(f"http://127.0.0.1:{port}/-/ready"))
    found.address = f"127.0.0.1:{port}"
    return found


def query(address: str, expression: str) -> list[dict]:
    """An instant query; an expression that Prometheus refuses is a failure."""
    url = f"http://{address}/api/v1/query?" + urllib.parse.urlencode({"query": expression})
    try:
        answer = json.loads(get(url))
    except OSError as error:
        raise Failure(f"Prometheus refuses {expression}: {error}") from None
    return answer["data"]["result"]


def firing(address: str, alert: str) -> list[dict]:
    alerts = json.loads(get(f"http://{address}/api/v1/alerts"))["data"]["alerts"]
    return [each["labels"] for each in alerts if each["labels"]["alertname"] == alert and each["state"] == "firing"]


def dashboard_queries(path: pathlib.Path) -> list[str]:
    """Every query of a dashboard, with its variables as a browser would fill them in."""
    dashboard = json.loads(path.read_text())
    found = [target["expr"] for panel in dashboard["panels"] for target in panel.get("targets", [])]
    found += [annotation["expr"] for annotation in dashboard["annotations"]["list"]]
    values = {"$__rate_interval": "10s", "$job": "sluice", "$instance": ".*", "$model": ".*"}
    for name, value in values.items():
        found = [expression.replace(name, value) for expression in found]
    return found


def check_dashboard(address: str, path: pathlib.Path) -> str:
    """Evaluates every query; each must give samples but those of features that this run does not use."""
    queries = dashboard_queries(path)
    empty = queries
    # A series begins with the first request that has its labels, and a rate with its second scrape.
    for _ in range(15):
        empty = [each for each in empty if not query(address, each)]
        unexpected = [each for each in empty if not any(name in each for name in EMPTY_WITHOUT)]
        if not unexpected:
            break
        time.sleep(1)
    else:
        raise Failure("queries of the dashboard without a sample: " + "; ".join(unexpected))
    return f"{len(queries)} queries, {len(queries) - len(empty)} with samples, {len(empty)} of features not in use"
