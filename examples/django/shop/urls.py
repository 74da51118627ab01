"""Addresses."""

from django.urls import path

from shop.views import export_orders, import_orders

urlpatterns = [path("orders/import", import_orders), path("orders/export", export_orders)]
