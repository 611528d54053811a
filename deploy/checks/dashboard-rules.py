"""The dashboard's queries as recording rules, so that promtool parses them. dashboard-rules.py DASHBOARD.json > rules.yaml"""

import json
import sys

with open(sys.argv[1], encoding="utf-8") as file:
    dashboard = json.load(file)
queries = [target["expr"] for panel in dashboard["panels"] for target in panel.get("targets", [])]
queries += [annotation["expr"] for annotation in dashboard["annotations"]["list"]]
for variable, value in {"$__rate_interval": "5m", "$job": ".*", "$instance": ".*"}.items():
    queries = [query.replace(variable, value) for query in queries]
rules = [{"record": f"query_{i}", "expr": query} for i, query in enumerate(queries)]
# JSON is YAML.
json.dump({"groups": [{"name": "dashboard", "rules": rules}]}, sys.stdout)
