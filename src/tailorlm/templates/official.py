"""The words of the data: LaMP's and LongLaMP's official input strings, nothing reworded.

Source: LaMP (Salemi et al., 2024); reference section 4.
"""

from tailorlm.templates.template import Template

TEMPLATE: Template = {}
