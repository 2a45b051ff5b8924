"""Reads the practice district with the PyPI package `powerschool` and prints what it found as JSON."""

import json
import os

from powerschool import PowerSchool

host = os.environ["PRACTICE_URL"].removeprefix("https://")
client = PowerSchool(host, auth=(os.environ["PRACTICE_ID"], os.environ["PRACTICE_SECRET"]))

students = client.get_schema_table("students")
active = "enroll_status==0"
# Without a projection the client asks the metadata which columns it may read.
everything = students.query(q=active)
some = students.query(
    q=active, projection="dcid,student_number,last_name", pagesize=40, sort="student_number", sortdescending="true"
)
one = students.query(pk=some[0]["dcid"], projection="student_number,last_name")

name = "com.example.practice.roster.students"
query = client.get_named_query(name)
whole = query.query(body={"status": "0"}, pagesize=0)
paged = query.query(body={"status": "0"}, pagesize=40)

print(
    json.dumps(
        {
            "version": client.metadata.powerschool_version,
            "plugin_id": client.metadata.plugin_id,
            "page": client.metadata.schema_table_query_max_page_size,
            "count": students.count(q=active),
            "count_of_all": students.count(),
            "columns": sorted(everything[0]),
            "everything": len(everything),
            "numbers": [row["student_number"] for row in some],
            "one": one,
            "queries": [query["name"] for query in client.list_named_queries()["queries"]],
            "query_count": query.count(body={"status": "0"}),
            "whole": [row["id"] for row in whole],
            "paged": [row["id"] for row in paged],
        }
    )
)
