"""The admin, and the form that takes a file."""

from django.contrib import admin
from django.urls import path

from . import views

urlpatterns = [
    path("admin/", admin.site.urls),
    path("papers/", views.papers),
]
