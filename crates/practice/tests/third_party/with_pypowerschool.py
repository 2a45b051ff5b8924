"""Reads the practice district with the PyPI package `pypowerschool` and prints what it found as JSON."""

import json
import os

from pypowerschool.powerschool import Client

client = Client(os.environ["PRACTICE_URL"], os.environ["PRACTICE_ID"], os.environ["PRACTICE_SECRET"])

schools = client.fetch_items("ws/v1/district/school")
students = client.fetch_items(
    "ws/v1/district/student",
    expansions="demographics,addresses,phones,contact_info,school_enrollment",
    query="school_enrollment.enroll_status==A",
)
of_school = {}
for school in schools:
    base = f"ws/v1/school/{school['id']}"
    of_school[school["school_number"]] = {
        kind: len(client.fetch_items(f"{base}/{kind}")) for kind in ["student", "section", "staff", "course", "term"]
    }
first = client.fetch_item(f"ws/v1/student/{students[0]['id']}", expansions="demographics").json()

print(
    json.dumps(
        {
            "version": client.fetch_metadata()["powerschool_version"],
            "schools": of_school,
            "local_ids": sorted(student["local_id"] for student in students),
            "expanded": sorted(students[0]),
            "first": first["student"]["local_id"] == students[0]["local_id"] and "demographics" in first["student"],
            "query": len(client.powerquery("ws/schema/query/com.example.practice.roster.students", {"status": "0"})),
        }
    )
)
