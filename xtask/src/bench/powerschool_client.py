"""The PyPI client `powerschool`, collecting STUDENTS and CC in memory, as its documentation shows it.

    python powerschool_client.py HOST CLIENT_ID JOB.json     the Client Secret on standard input

JOB.json holds the reads: {"queries": [{"name", "body"}], "tables": [{"name", "projection", "q", "sort", "pages"}]}.
A table's `pages` is how many of its pages are read: the client reads one after the other, so a part stands for the
whole. On standard output comes {"rows": N}.
"""

import json
import sys

from powerschool import PowerSchool
from powerschool.client import Schema


def main():
    host, client_id, job = sys.argv[1:]
    secret = sys.stdin.readline().strip()
    with open(job, encoding="utf-8") as file:
        job = json.load(file)
    client = PowerSchool(host, auth=(client_id, secret))
    collected = []
    for query in job["queries"]:
        collected.append(client.get_named_query(query["name"]).query(body=query["body"], pagesize=0))
    page_size = client.metadata.schema_table_query_max_page_size
    count = Schema.count
    for table in job["tables"]:
        rows = table["pages"] * page_size
        Schema.count = lambda self, **arguments: min(rows, count(self, **arguments))
        arguments = {name: table[name] for name in ("projection", "sort", "q") if table[name]}
        collected.append(client.get_schema_table(table["name"]).query(**arguments))
    print(json.dumps({"rows": sum(len(rows) for rows in collected)}))


main()
