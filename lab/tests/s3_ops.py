"""What boto3 sees of a bucket; each function is one call of the tests. The environment says which bucket."""

import base64
import hashlib
import io
import os
import sys
import threading
import urllib.error
import urllib.request

import boto3
from botocore.config import Config
from botocore.exceptions import ClientError

ENDPOINT, BUCKET = os.environ["ENDPOINT"], os.environ["BUCKET"]
CERTIFICATE = os.environ["CERTIFICATE"]
PART = 5 << 20


def client(key="ACCESS", secret="SECRET", style="path", endpoint=ENDPOINT, verify=CERTIFICATE):
    return boto3.client(
        "s3",
        endpoint_url=endpoint,
        aws_access_key_id=os.environ[key],
        aws_secret_access_key=os.environ[secret],
        region_name="us-east-1",
        verify=verify,
        config=Config(
            signature_version="s3v4",
            s3={"addressing_style": style},
            retries={"max_attempts": 0},
        ),
    )


def refused(code, call, **words):
    try:
        call(**words)
    except ClientError as error:
        assert error.response["Error"]["Code"] == code, error
        return error.response
    raise AssertionError(f"{code} did not come")


def keys(s3, **words):
    found = s3.list_objects_v2(Bucket=BUCKET, **words)
    names = [one["Key"] for one in found.get("Contents", [])]
    return names, [one["Prefix"] for one in found.get("CommonPrefixes", [])], found


def fill():
    """Something of each kind that a backup could lose."""
    s3, b = client(), BUCKET
    s3.put_object(Bucket=b, Key="plain", Body=b"plain", Metadata={"who": "me"}, ContentType="text/plain", Tagging="a=1&b=2")
    s3.put_object(Bucket=b, Key="plain/below", Body=b"x" * 100_000)
    s3.put_object(Bucket=b, Key="empty", Body=b"")
    s3.put_object(Bucket=b, Key="ä/../odd//", Body=b"odd")
    made = s3.create_multipart_upload(Bucket=b, Key="parts")
    parts = []
    for number in (1, 2):
        body = bytes([number]) * (5 << 20)
        part = s3.upload_part(Bucket=b, Key="parts", UploadId=made["UploadId"], PartNumber=number, Body=body)
        parts.append({"PartNumber": number, "ETag": part["ETag"]})
    s3.complete_multipart_upload(Bucket=b, Key="parts", UploadId=made["UploadId"], MultipartUpload={"Parts": parts})
    s3.put_bucket_versioning(Bucket=b, VersioningConfiguration={"Status": "Enabled"})
    s3.put_object(Bucket=b, Key="plain", Body=b"second")
    s3.put_object(Bucket=b, Key="gone", Body=b"g")
    s3.delete_object(Bucket=b, Key="gone")
    s3.put_bucket_cors(Bucket=b, CORSConfiguration={"CORSRules": [{"AllowedMethods": ["GET"], "AllowedOrigins": ["*"]}]})


def filled():
    s3, b = client(), BUCKET
    names = [name for name in keys(s3)[0] if not name.startswith("busy")]
    assert names == ["empty", "parts", "plain", "plain/below", "ä/../odd//"], names
    assert s3.get_object(Bucket=b, Key="plain")["Body"].read() == b"second"
    versions = s3.list_object_versions(Bucket=b, Prefix="plain")["Versions"]
    first = next(one for one in versions if one["Key"] == "plain" and not one["IsLatest"])
    assert first["VersionId"] == "null", first
    got = s3.get_object(Bucket=b, Key="plain", VersionId="null")
    assert got["Body"].read() == b"plain" and got["Metadata"] == {"who": "me"}, got
    assert got["ContentType"] == "text/plain" and got["TagCount"] == 2, got
    assert len(s3.list_object_versions(Bucket=b, Prefix="gone")["DeleteMarkers"]) == 1
    parts = s3.get_object(Bucket=b, Key="parts")
    assert parts["ETag"].endswith('-2"') and parts["Body"].read() == b"\1" * (5 << 20) + b"\2" * (5 << 20)
    assert s3.get_bucket_versioning(Bucket=b)["Status"] == "Enabled"
    assert len(s3.get_bucket_cors(Bucket=b)["CORSRules"]) == 1
    s3.put_object(Bucket=b, Key="more", Body=b"y")
    s3.delete_object(Bucket=b, Key="more", VersionId=s3.head_object(Bucket=b, Key="more")["VersionId"])


def busy():
    """Somebody who goes on while a backup is made."""
    s3 = client()
    for number in range(100):
        s3.put_object(Bucket=BUCKET, Key=f"busy/{number % 7}", Body=os.urandom(30_000))


def objects():
    s3, b = client(), BUCKET
    s3.put_object(Bucket=b, Key="a", Body=b"first", Metadata={"who": "me"}, ContentType="text/plain", CacheControl="no-cache")
    s3.put_object(Bucket=b, Key="a/b", Body=b"second")
    got = s3.get_object(Bucket=b, Key="a")
    assert got["Body"].read() == b"first" and got["Metadata"] == {"who": "me"}, got
    assert got["ContentType"] == "text/plain" and got["CacheControl"] == "no-cache", got
    assert got["ETag"] == '"%s"' % hashlib.md5(b"first").hexdigest(), got
    head = s3.head_object(Bucket=b, Key="a/b")
    assert head["ContentLength"] == 6 and head["ContentType"] == "binary/octet-stream", head
    assert s3.get_object(Bucket=b, Key="a", Range="bytes=1-2")["Body"].read() == b"ir"
    assert s3.get_object(Bucket=b, Key="a", Range="bytes=-2")["Body"].read() == b"st"
    refused("InvalidRange", s3.get_object, Bucket=b, Key="a", Range="bytes=9-")
    refused("NoSuchKey", s3.get_object, Bucket=b, Key="none")
    refused("404", s3.head_object, Bucket=b, Key="none")

    refused("304", s3.get_object, Bucket=b, Key="a", IfNoneMatch=got["ETag"])
    refused("304", s3.get_object, Bucket=b, Key="a", IfModifiedSince=got["LastModified"])
    refused("PreconditionFailed", s3.get_object, Bucket=b, Key="a", IfMatch='"0"')
    s3.get_object(Bucket=b, Key="a", IfMatch=got["ETag"], IfUnmodifiedSince=got["LastModified"])
    assert s3.get_object(Bucket=b, Key="a")["Body"].read() == b"first"

    s3.copy_object(Bucket=b, Key="c", CopySource={"Bucket": b, "Key": "a"})
    assert s3.get_object(Bucket=b, Key="c")["Metadata"] == {"who": "me"}
    s3.copy_object(Bucket=b, Key="c", CopySource={"Bucket": b, "Key": "a"}, MetadataDirective="REPLACE", Metadata={"n": "1"})
    assert s3.get_object(Bucket=b, Key="c")["Metadata"] == {"n": "1"}
    refused("InvalidRequest", s3.copy_object, Bucket=b, Key="c", CopySource={"Bucket": b, "Key": "c"})
    refused("NoSuchKey", s3.copy_object, Bucket=b, Key="d", CopySource={"Bucket": b, "Key": "none"})

    s3.put_object_tagging(Bucket=b, Key="a", Tagging={"TagSet": [{"Key": "k", "Value": "v w"}]})
    assert s3.get_object_tagging(Bucket=b, Key="a")["TagSet"] == [{"Key": "k", "Value": "v w"}]
    s3.put_object(Bucket=b, Key="t", Body=b"", Tagging="x=1&y=%20")
    assert len(s3.get_object_tagging(Bucket=b, Key="t")["TagSet"]) == 2
    s3.delete_object_tagging(Bucket=b, Key="a")
    assert s3.get_object_tagging(Bucket=b, Key="a")["TagSet"] == []

    s3.delete_object(Bucket=b, Key="a")
    s3.delete_object(Bucket=b, Key="a")
    assert s3.get_object(Bucket=b, Key="a/b")["Body"].read() == b"second"
    gone = s3.delete_objects(Bucket=b, Delete={"Objects": [{"Key": k} for k in ["a/b", "c", "t", "none"]]})
    assert len(gone["Deleted"]) == 4 and "Errors" not in gone, gone
    assert keys(s3)[0] == []
    s3.head_bucket(Bucket=b)
    assert [one["Name"] for one in s3.list_buckets()["Buckets"]] == [b]
    assert s3.get_bucket_location(Bucket=b).get("LocationConstraint") in (None, "")


def names():
    s3, b = client(), BUCKET
    strange = ["a", "a/", "a/b", "..", "../../etc/passwd", "a//b", "//", "with space", "ä/ö", "a+b%20&c=d?e#f", "new\nline", "k" * 1024]
    for key in strange:
        s3.put_object(Bucket=b, Key=key, Body=key.encode())
    for key in strange:
        assert s3.get_object(Bucket=b, Key=key)["Body"].read() == key.encode(), key
    assert sorted(keys(s3)[0]) == sorted(strange), keys(s3)[0]
    refused("KeyTooLongError", s3.put_object, Bucket=b, Key="k" * 1025, Body=b"")
    s3.delete_objects(Bucket=b, Delete={"Objects": [{"Key": key} for key in strange]})
    assert keys(s3)[0] == []


def lists():
    s3, b = client(), BUCKET
    for key in ["a", "b/1", "b/2", "b0", "c/d/e"] + [f"z/{n:03}" for n in range(30)]:
        s3.put_object(Bucket=b, Key=key, Body=b"x")
    assert keys(s3, Delimiter="/")[:2] == (["a", "b0"], ["b/", "c/", "z/"])
    assert keys(s3, Prefix="b/", Delimiter="/")[0] == ["b/1", "b/2"]
    assert keys(s3, StartAfter="z/027")[0] == ["z/028", "z/029"]
    seen, words = [], {}
    while True:
        got, prefixes, page = keys(s3, MaxKeys=2, Delimiter="/", **words)
        seen += got + prefixes
        assert page["KeyCount"] <= 2
        if not page["IsTruncated"]:
            break
        words = {"ContinuationToken": page["NextContinuationToken"]}
    assert sorted(seen) == ["a", "b/", "b0", "c/", "z/"], seen
    pages = s3.get_paginator("list_objects").paginate(Bucket=b, PaginationConfig={"PageSize": 7})
    assert sum(len(page.get("Contents", [])) for page in pages) == 35
    assert len(s3.list_object_versions(Bucket=b)["Versions"]) == 35
    for page in s3.get_paginator("list_objects_v2").paginate(Bucket=b):
        s3.delete_objects(Bucket=b, Delete={"Objects": [{"Key": o["Key"]} for o in page["Contents"]], "Quiet": True})
    assert keys(s3)[0] == []


def parts():
    s3, b = client(), BUCKET
    five = os.urandom(5 << 20)
    begun = s3.create_multipart_upload(Bucket=b, Key="big", Metadata={"n": "1"}, ContentType="x/y")
    of = {"Bucket": b, "Key": "big", "UploadId": begun["UploadId"]}
    one = s3.upload_part(PartNumber=1, Body=five, **of)["ETag"]
    two = s3.upload_part(PartNumber=2, Body=b"end", **of)["ETag"]
    assert [p["Size"] for p in s3.list_parts(**of)["Parts"]] == [5 << 20, 3]
    assert [u["Key"] for u in s3.list_multipart_uploads(Bucket=b)["Uploads"]] == ["big"]
    refused("NoSuchKey", s3.get_object, Bucket=b, Key="big")
    wrong = {"Parts": [{"PartNumber": 2, "ETag": two}, {"PartNumber": 1, "ETag": one}]}
    refused("InvalidPartOrder", s3.complete_multipart_upload, MultipartUpload=wrong, **of)
    wrong = {"Parts": [{"PartNumber": 1, "ETag": two}]}
    refused("InvalidPart", s3.complete_multipart_upload, MultipartUpload=wrong, **of)
    right = {"Parts": [{"PartNumber": 1, "ETag": one}, {"PartNumber": 2, "ETag": two}]}
    assert s3.complete_multipart_upload(MultipartUpload=right, **of)["ETag"].endswith('-2"')
    got = s3.get_object(Bucket=b, Key="big")
    assert got["Body"].read() == five + b"end" and got["Metadata"] == {"n": "1"}, got
    middle = f"bytes={(5 << 20) - 1}-{5 << 20}"
    assert s3.get_object(Bucket=b, Key="big", Range=middle)["Body"].read() == five[-1:] + b"e"
    refused("NoSuchUpload", s3.upload_part, PartNumber=1, Body=b"", **of)

    begun = s3.create_multipart_upload(Bucket=b, Key="copy")
    of = {"Bucket": b, "Key": "copy", "UploadId": begun["UploadId"]}
    source = {"Bucket": b, "Key": "big"}
    etag = s3.upload_part_copy(PartNumber=1, CopySource=source, CopySourceRange="bytes=0-9", **of)
    right = {"Parts": [{"PartNumber": 1, "ETag": etag["CopyPartResult"]["ETag"]}]}
    s3.complete_multipart_upload(MultipartUpload=right, **of)
    assert s3.get_object(Bucket=b, Key="copy")["Body"].read() == five[:10]
    begun = s3.create_multipart_upload(Bucket=b, Key="none")
    of = {"Bucket": b, "Key": "none", "UploadId": begun["UploadId"]}
    s3.upload_part(PartNumber=1, Body=b"x", **of)
    s3.abort_multipart_upload(**of)
    refused("NoSuchUpload", s3.abort_multipart_upload, **of)
    assert "Uploads" not in s3.list_multipart_uploads(Bucket=b)
    s3.delete_objects(Bucket=b, Delete={"Objects": [{"Key": "big"}, {"Key": "copy"}]})


def large():
    """An object of some hundred megabytes, put at once and got in pieces."""
    s3, b, size = client(), BUCKET, 300 << 20

    class Zeros(io.RawIOBase):
        at = 0

        def seekable(self):
            return True

        def tell(self):
            return self.at

        def seek(self, to, whence=0):
            self.at = to if whence == 0 else (size if whence == 2 else self.at) + to
            return self.at

        def read(self, most=-1):
            count = size - self.at if most < 0 else min(most, size - self.at)
            self.at += count
            return b"\0" * count

    s3.put_object(Bucket=b, Key="large", Body=Zeros(), ContentLength=size)
    got, count = s3.get_object(Bucket=b, Key="large"), 0
    for chunk in got["Body"].iter_chunks(1 << 20):
        count += len(chunk)
    assert count == size, count
    s3.delete_object(Bucket=b, Key="large")


def presigned():
    s3, b = client(), BUCKET
    s3.put_object(Bucket=b, Key="p q", Body=b"shared")
    url = s3.generate_presigned_url("get_object", Params={"Bucket": b, "Key": "p q"}, ExpiresIn=60)
    assert fetched(url) == (200, b"shared")
    head, tail = url.split("X-Amz-Signature=")
    status, text = fetched(f"{head}X-Amz-Signature={'1' if tail[0] == '0' else '0'}{tail[1:]}")
    assert status == 403 and b"SignatureDoesNotMatch" in text, text
    assert fetched(url.replace("p%20q", "other"))[0] == 403
    put = s3.generate_presigned_url("put_object", Params={"Bucket": b, "Key": "put"}, ExpiresIn=60)
    assert fetched(put, b"by url")[0] == 200
    assert s3.get_object(Bucket=b, Key="put")["Body"].read() == b"by url"
    status, text = fetched(f"{ENDPOINT}/{b}/put")
    assert status == 403 and b"AccessDenied" in text, text
    s3.delete_objects(Bucket=b, Delete={"Objects": [{"Key": "p q"}, {"Key": "put"}]})


def fetched(url, body=None):
    import ssl

    context = ssl.create_default_context(cafile=CERTIFICATE)
    request = urllib.request.Request(url, data=body, method="GET" if body is None else "PUT")
    try:
        with urllib.request.urlopen(request, context=context) as got:
            return got.status, got.read()
    except urllib.error.HTTPError as error:
        return error.code, error.read()


def bad():
    s3, b = client(), BUCKET
    s3.put_object(Bucket=b, Key="kept", Body=b"old")
    refused("SignatureDoesNotMatch", client(secret="WRONG").put_object, Bucket=b, Key="kept", Body=b"new")
    refused("InvalidAccessKeyId", client(key="WRONG").get_object, Bucket=b, Key="kept")
    refused("NoSuchBucket", s3.get_object, Bucket="nowhere", Key="kept")
    refused("AccessDenied", s3.get_object, Bucket=os.environ["OTHER"], Key="kept")
    refused("AccessDenied", s3.copy_object, Bucket=b, Key="x", CopySource={"Bucket": os.environ["OTHER"], "Key": "k"})
    refused("BucketAlreadyOwnedByYou", s3.create_bucket, Bucket=b)
    refused("AccessDenied", s3.create_bucket, Bucket="new-bucket")
    reader = client(key="READER", secret="READER_SECRET")
    assert reader.get_object(Bucket=b, Key="kept")["Body"].read() == b"old"
    assert reader.list_objects_v2(Bucket=b)["KeyCount"] == 1
    refused("AccessDenied", reader.put_object, Bucket=b, Key="kept", Body=b"new")
    refused("AccessDenied", reader.delete_object, Bucket=b, Key="kept")
    kept = reader.delete_objects(Bucket=b, Delete={"Objects": [{"Key": "kept"}]})["Errors"]
    assert [one["Code"] for one in kept] == ["AccessDenied"], kept
    refused("AccessDenied", reader.create_multipart_upload, Bucket=b, Key="kept")
    md5 = base64.b64encode(hashlib.md5(b"another").digest()).decode()
    refused("BadDigest", s3.put_object, Bucket=b, Key="kept", Body=b"new", ContentMD5=md5)

    import datetime as clock

    import botocore.auth

    late = lambda: clock.datetime.now(clock.timezone.utc).replace(tzinfo=None) - clock.timedelta(hours=2)

    class Late(clock.datetime):
        utcnow = staticmethod(late)

    class Module:
        datetime, timezone, timedelta = Late, clock.timezone, clock.timedelta

    # Newer ones ask a function, older ones the module.
    name = "get_current_datetime" if hasattr(botocore.auth, "get_current_datetime") else "datetime"
    before = getattr(botocore.auth, name)
    setattr(botocore.auth, name, Module if name == "datetime" else lambda *a, **k: late())
    refused("RequestTimeTooSkewed", s3.put_object, Bucket=b, Key="kept", Body=b"new")
    setattr(botocore.auth, name, before)
    import http.client
    import ssl
    import urllib.parse

    put = s3.generate_presigned_url("put_object", Params={"Bucket": b, "Key": "short"}, ExpiresIn=60)
    address = urllib.parse.urlsplit(put)
    context = ssl.create_default_context(cafile=CERTIFICATE)
    for sent, encoding in [(b"x" * 500_000, {}), (b"", {}), (b"x", {"Content-MD5": "nonsense"})]:
        link = http.client.HTTPSConnection(address.netloc, context=context)
        link.putrequest("PUT", f"{address.path}?{address.query}")
        link.putheader("Content-Length", "1000000" if len(sent) != 1 else "1")
        for name, value in encoding.items():
            link.putheader(name, value)
        link.endheaders(sent)
        if encoding:
            assert link.getresponse().status == 400
        link.close()
    refused("NoSuchKey", s3.get_object, Bucket=b, Key="short")
    assert s3.get_object(Bucket=b, Key="kept")["Body"].read() == b"old"
    assert keys(s3)[0] == ["kept"]
    s3.delete_object(Bucket=b, Key="kept")


def full():
    s3, b = client(), BUCKET
    s3.put_object(Bucket=b, Key="a", Body=b"x" * 600_000)
    answer = refused("QuotaExceeded", s3.put_object, Bucket=b, Key="b", Body=b"x" * 600_000)
    assert answer["ResponseMetadata"]["HTTPStatusCode"] == 403
    refused("QuotaExceeded", s3.put_object, Bucket=b, Key="b", Body=b"x" * 6_000_000)
    assert keys(s3)[0] == ["a"]
    s3.put_object(Bucket=b, Key="a", Body=b"y" * 900_000)
    s3.delete_object(Bucket=b, Key="a")
    s3.put_object(Bucket=b, Key="b", Body=b"x" * 600_000)
    s3.delete_object(Bucket=b, Key="b")


def no_room():
    """A pool that is full: what was acknowledged is there, and what is deleted makes room again."""
    s3, b, there = client(), BUCKET, []
    try:
        for n in range(1000):
            s3.put_object(Bucket=b, Key=f"{n}", Body=bytes([n % 251]) * 8_000_000)
            there.append(n)
    except ClientError as error:
        assert error.response["Error"]["Code"] == "InsufficientStorage", error
        assert error.response["ResponseMetadata"]["HTTPStatusCode"] == 507, error
    assert 3 < len(there) < 1000, there
    for n in there:
        assert s3.get_object(Bucket=b, Key=f"{n}")["Body"].read() == bytes([n % 251]) * 8_000_000
    assert sorted(keys(s3)[0]) == sorted(f"{n}" for n in there)
    s3.delete_objects(Bucket=b, Delete={"Objects": [{"Key": f"{n}"} for n in there[:-2]]})
    s3.put_object(Bucket=b, Key="again", Body=b"x" * 8_000_000)
    s3.put_object(Bucket=b, Key="small", Body=b"x")
    assert len(keys(s3)[0]) == 4
    s3.delete_objects(Bucket=b, Delete={"Objects": [{"Key": key} for key in keys(s3)[0]]})


def styles():
    host, port = ENDPOINT.removeprefix("https://").rsplit(":", 1)
    import socket

    real = socket.getaddrinfo
    socket.getaddrinfo = lambda name, *rest, **words: real("127.0.0.1", *rest, **words)
    s3 = client(style="virtual", endpoint=f"https://localhost:{port}", verify=False)
    s3.put_object(Bucket=BUCKET, Key="by/host", Body=b"x")
    assert s3.meta.endpoint_url
    assert s3.get_object(Bucket=BUCKET, Key="by/host")["Body"].read() == b"x"
    s3.delete_object(Bucket=BUCKET, Key="by/host")


def versions():
    s3, b = client(), BUCKET
    assert "Status" not in s3.get_bucket_versioning(Bucket=b)
    s3.put_object(Bucket=b, Key="v", Body=b"zero")
    s3.put_bucket_versioning(Bucket=b, VersioningConfiguration={"Status": "Enabled"})
    assert s3.get_bucket_versioning(Bucket=b)["Status"] == "Enabled"
    one = s3.put_object(Bucket=b, Key="v", Body=b"one")["VersionId"]
    two = s3.put_object(Bucket=b, Key="v", Body=b"two")["VersionId"]
    body = lambda **words: s3.get_object(Bucket=b, Key="v", **words)["Body"].read()
    assert (body(), body(VersionId=one), body(VersionId="null")) == (b"two", b"one", b"zero")
    refused("NoSuchVersion", s3.get_object, Bucket=b, Key="v", VersionId="nonsense")
    gone = s3.delete_object(Bucket=b, Key="v")
    assert gone["DeleteMarker"] and gone["VersionId"], gone
    refused("NoSuchKey", s3.get_object, Bucket=b, Key="v")
    refused("MethodNotAllowed", s3.get_object, Bucket=b, Key="v", VersionId=gone["VersionId"])
    assert keys(s3)[0] == []
    listed = s3.list_object_versions(Bucket=b)
    assert [v["VersionId"] for v in listed["Versions"]] == [two, one, "null"], listed
    assert not any(v["IsLatest"] for v in listed["Versions"]) and listed["DeleteMarkers"][0]["IsLatest"]
    pages = s3.get_paginator("list_object_versions").paginate(Bucket=b, PaginationConfig={"PageSize": 1})
    found = [v["VersionId"] for page in pages for v in page.get("Versions", []) + page.get("DeleteMarkers", [])]
    assert found == [gone["VersionId"], two, one, "null"], found
    s3.delete_object(Bucket=b, Key="v", VersionId=gone["VersionId"])
    assert body() == b"two"
    s3.copy_object(Bucket=b, Key="v", CopySource={"Bucket": b, "Key": "v", "VersionId": one})
    assert body() == b"one"
    s3.put_bucket_versioning(Bucket=b, VersioningConfiguration={"Status": "Suspended"})
    s3.put_object(Bucket=b, Key="v", Body=b"null again")
    assert body(VersionId="null") == b"null again" and body(VersionId=one) == b"one"
    listed = s3.list_object_versions(Bucket=b)["Versions"]
    assert [v["IsLatest"] for v in listed] == [True, False, False, False], listed
    every = [{"Key": "v", "VersionId": v["VersionId"]} for v in listed]
    assert len(s3.delete_objects(Bucket=b, Delete={"Objects": every})["Deleted"]) == 4
    assert "Versions" not in s3.list_object_versions(Bucket=b)


def lifecycle():
    s3, b = client(), BUCKET
    refused("NoSuchLifecycleConfiguration", s3.get_bucket_lifecycle_configuration, Bucket=b)
    for key in ["old/a", "old/b", "new/a"]:
        s3.put_object(Bucket=b, Key=key, Body=b"x")
    put = lambda **rule: s3.put_bucket_lifecycle_configuration(
        Bucket=b, LifecycleConfiguration={"Rules": [{"ID": "one", "Status": "Enabled", **rule}]}
    )
    put(Filter={"Prefix": "old/"}, Expiration={"Days": 3}, AbortIncompleteMultipartUpload={"DaysAfterInitiation": 1})
    rule = s3.get_bucket_lifecycle_configuration(Bucket=b)["Rules"][0]
    assert rule["Expiration"] == {"Days": 3} and rule["Filter"] == {"Prefix": "old/"}, rule
    assert keys(s3)[0] == ["new/a", "old/a", "old/b"]
    put(Filter={"Prefix": "old/"}, Expiration={"Date": "2020-01-01"})
    assert keys(s3)[0] == ["new/a"]
    refused("InvalidArgument", put, Filter={"Prefix": ""}, Expiration={"Days": 0})
    refused("NotImplemented", put, Filter={"Prefix": ""}, Transitions=[{"Days": 1, "StorageClass": "GLACIER"}])
    s3.delete_bucket_lifecycle(Bucket=b)
    refused("NoSuchLifecycleConfiguration", s3.get_bucket_lifecycle_configuration, Bucket=b)
    s3.delete_object(Bucket=b, Key="new/a")


def cors():
    s3, b = client(), BUCKET
    refused("NoSuchCORSConfiguration", s3.get_bucket_cors, Bucket=b)
    rule = {"AllowedOrigins": ["https://*.lan"], "AllowedMethods": ["GET", "PUT"], "AllowedHeaders": ["*"], "ExposeHeaders": ["ETag"], "MaxAgeSeconds": 60}
    s3.put_bucket_cors(Bucket=b, CORSConfiguration={"CORSRules": [rule]})
    assert s3.get_bucket_cors(Bucket=b)["CORSRules"] == [rule]
    refused("InvalidRequest", s3.put_bucket_cors, Bucket=b, CORSConfiguration={"CORSRules": [{**rule, "AllowedMethods": ["PATCH"]}]})
    s3.put_object(Bucket=b, Key="page", Body=b"x")
    url = s3.generate_presigned_url("get_object", Params={"Bucket": b, "Key": "page"}, ExpiresIn=60)
    ask = {"Access-Control-Request-Method": "PUT", "Access-Control-Request-Headers": "content-type"}
    status, headers = asked("OPTIONS", url, {"Origin": "https://tv.lan", **ask})
    assert status == 200 and headers["Access-Control-Allow-Origin"] == "https://tv.lan", headers
    assert headers["Access-Control-Allow-Headers"] == "content-type" and headers["Access-Control-Max-Age"] == "60"
    assert asked("OPTIONS", url, {"Origin": "https://evil.example", **ask})[0] == 403
    assert asked("OPTIONS", f"{ENDPOINT}/nowhere/page", {"Origin": "https://tv.lan", **ask})[0] == 403
    status, headers = asked("GET", url, {"Origin": "https://tv.lan"})
    assert status == 200 and headers["Access-Control-Expose-Headers"] == "ETag", headers
    status, headers = asked("GET", url, {"Origin": "https://evil.example"})
    assert status == 200 and "Access-Control-Allow-Origin" not in headers, headers
    s3.delete_bucket_cors(Bucket=b)
    assert asked("OPTIONS", url, {"Origin": "https://tv.lan", **ask})[0] == 403
    s3.delete_object(Bucket=b, Key="page")


def asked(method, url, headers):
    import ssl

    request = urllib.request.Request(url, headers=headers, method=method)
    try:
        with urllib.request.urlopen(request, context=ssl.create_default_context(cafile=CERTIFICATE)) as got:
            return got.status, got.headers
    except urllib.error.HTTPError as error:
        return error.code, error.headers


SIZES = [10, 20_000, 300_000]


def load():
    """Puts until it is killed, many at once and some of it in parts; says what was acknowledged."""
    turn = sys.stdin.read().strip() or "0"

    def work(n, sizes):
        s3 = client()
        for i in range(100_000):
            key = f"load/{turn}/{n}/{i % 50}"
            body = f"{key}:{i}:".encode().ljust(sizes[i % 3], b".")
            try:
                s3.put_object(Bucket=BUCKET, Key=key, Body=body)
            except Exception:
                return
            os.write(1, f"{key} {i}\n".encode())

    def in_parts():
        s3 = client()
        for i in range(100_000):
            key = f"load/{turn}/parts/{i % 3}"
            body = f"{key}:{i}:".encode().ljust(PART, b".")
            try:
                made = s3.create_multipart_upload(Bucket=BUCKET, Key=key)["UploadId"]
                part = lambda n, body: {
                    "PartNumber": n,
                    "ETag": s3.upload_part(Bucket=BUCKET, Key=key, UploadId=made, PartNumber=n, Body=body)["ETag"],
                }
                parts = [part(1, body), part(2, b"end")]
                s3.complete_multipart_upload(Bucket=BUCKET, Key=key, UploadId=made, MultipartUpload={"Parts": parts})
            except Exception:
                return
            os.write(1, f"{key} {i}\n".encode())

    threads = [threading.Thread(target=work, args=(n, SIZES)) for n in range(4)]
    # Small ones, of which several share a sync.
    threads += [threading.Thread(target=work, args=(n, SIZES[:1] * 3)) for n in range(4, 12)]
    threads.append(threading.Thread(target=in_parts))
    [thread.start() for thread in threads]
    [thread.join() for thread in threads]


def check():
    """All that was acknowledged is there: it, or what was under way when the end came. All that is listed is whole."""
    s3, last = client(), {}
    for line in sys.stdin:
        key, i = line.split()
        last[key] = int(i)
    assert last
    seen = set()
    for page in s3.get_paginator("list_objects_v2").paginate(Bucket=BUCKET, Prefix="load/"):
        for one in page.get("Contents", []):
            key = one["Key"]
            got = s3.get_object(Bucket=BUCKET, Key=key)
            body = got["Body"].read()
            name, i, _ = body.split(b":", 2)
            i, n = int(i), key.split("/")[2]
            step = 3 if n == "parts" else 50
            assert name.decode() == key and i in (last.get(key, i), last.get(key, i) + step), (key, i, last.get(key))
            whole = f"{key}:{i}:".encode()
            if n == "parts":
                whole = whole.ljust(PART, b".") + b"end"
            else:
                whole = whole.ljust(SIZES[i % 3] if int(n) < 4 else SIZES[0], b".")
                assert one["ETag"].strip('"') == hashlib.md5(body).hexdigest(), key
            assert body == whole and one["Size"] == len(whole), (key, len(body), len(whole))
            seen.add(key)
    assert set(last) <= seen, set(last) - seen
    print(len(last))


globals()[sys.argv[1]]()
print("done")
