"""A quality report: all that results and labels say of each other, as one page, as figures and as JSON."""

from llm4tag.reporting.quality_report import QualityReport, quality_report

__all__ = ["QualityReport", "quality_report"]
