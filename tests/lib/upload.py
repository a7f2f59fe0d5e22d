"""A file posted as a form, as the Inkbox API has it for imports."""

import io
import random
import urllib.error
import urllib.request

import shown


def upload(target, fields, content):
    """As a form, without a key; the status."""
    boundary = f"b{random.randrange(1 << 64):x}"
    form = io.BytesIO()
    for name, value in fields.items():
        form.write(f'--{boundary}\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n{value}\r\n'.encode())
    form.write(f'--{boundary}\r\nContent-Disposition: form-data; name="file"; filename="mail"\r\nContent-Type: application/octet-stream\r\n\r\n'.encode())
    form.write(content + f"\r\n--{boundary}--\r\n".encode())
    asked = urllib.request.Request(target["url"], form.getvalue(), {"Content-Type": f"multipart/form-data; boundary={boundary}"})
    try:
        with urllib.request.urlopen(asked, timeout=60) as answer:
            return answer.status
    except urllib.error.HTTPError as refused:
        shown.note(refused.read())
        return refused.code
