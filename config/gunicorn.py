"""gunicorn -c config/gunicorn.py config.wsgi"""

import os

from config import env

bind = env.text("BIND", f"0.0.0.0:{env.number('PORT', 8000)}")
workers = env.number("WEB_CONCURRENCY", min(2 * (os.cpu_count() or 1), 8))
threads = env.number("WEB_THREADS", 4)
# Loaded once and shared: workers start, and are replaced, in no time.
preload_app = True
timeout = 60
graceful_timeout = 20
# A worker that leaks is replaced before anybody notices, and not all of them at once.
max_requests = 2000
max_requests_jitter = 500
# Heartbeats in memory: on a slow disk, a busy worker would look dead.
worker_tmp_dir = "/dev/shm" if os.access("/dev/shm", os.W_OK) else None  # noqa: S108
accesslog = "-"
access_log_format = '%(h)s "%(r)s" %(s)s %(b)s %(M)sms'
# No second way to steer it: signals are enough, and a home folder may not exist.
control_socket_disable = True
