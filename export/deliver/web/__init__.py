"""A static page that runs an exported file in the browser, with onnxruntime-web and nothing else."""

from export.deliver.web.browser_page import PageResult, check_page, write_page
from export.deliver.web.ort_web import ORT_WEB_VERSION, OrtWeb, find_ort_web

__all__ = ["ORT_WEB_VERSION", "OrtWeb", "PageResult", "check_page", "find_ort_web", "write_page"]
